"""Packets byte for byte: what each scheme puts on an arc, and the capture file that shows it.

Headers are written here, with `struct`; scapy is an oracle of the tests only (its BIER is not that
of RFC 8296 on the wire).
"""
