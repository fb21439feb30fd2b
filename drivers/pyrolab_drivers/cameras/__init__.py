"""Drivers of cameras: GenICam, Aravis, OpenCV, and what pylablib or Micro-Manager can drive."""
