"""The registers of an ITLA module that are used here, and those that Pure Photonics adds."""

from __future__ import annotations

from enum import IntEnum


class Register(IntEnum):
    """Under the standard's names; frequencies in THz, GHz × 10 and MHz, powers in dBm × 100."""

    NOP = 0x00
    DEVICE_TYPE = 0x01
    MFGR = 0x02
    MODEL = 0x03
    SERIAL = 0x04
    MFG_DATE = 0x05
    RELEASE = 0x06
    AEA_EAR = 0x0B
    STATUS_F = 0x20
    STATUS_W = 0x21
    CHANNEL = 0x30
    PWR = 0x31
    RESENA = 0x32
    MCB = 0x33
    GRID = 0x34
    FCF1 = 0x35
    FCF2 = 0x36
    LF1 = 0x40
    LF2 = 0x41
    OOP = 0x42
    CTEMP = 0x43
    FTFR = 0x4F
    OPSL = 0x50
    OPSH = 0x51
    LFL1 = 0x52
    LFL2 = 0x53
    LFH1 = 0x54
    LFH2 = 0x55
    LGRID = 0x56
    CURRENTS = 0x57
    TEMPS = 0x58
    FTF = 0x62
    CHANNEL_H = 0x65
    GRID2 = 0x66
    FCF3 = 0x67
    LF3 = 0x68
    LFL3 = 0x69
    LFH3 = 0x6A
    # Pure Photonics
    MODE = 0x90
    SWEEP_RANGE = 0xE4
    SWEEP_ON = 0xE5
    SWEEP_OFFSET = 0xE6
    JUMP_THZ = 0xEA
    JUMP_GHZ = 0xEB
    JUMP_TEMPERATURE = 0xEC
    JUMP_START = 0xED
    SWEEP_RATE = 0xF1
