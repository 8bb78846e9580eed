"""A certificate for loopback that nobody has signed, valid until 2120, and its key, which guards nothing.

Made by `openssl ca -selfsign`, with the name and address of loopback as its subjects.
"""

from __future__ import annotations

__all__ = ["CERTIFICATE", "PRIVATE_KEY"]

PRIVATE_KEY = """\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg2/e22joUVPCN23Do
VE03fWY0udTob3aCBN9G6k+bhlShRANCAAQ/0hscs2hpQeaEM/YV0LMyMWAz6bAP
sYPALI/N8Izfi2RupbGjvcV+kgmFONO9Bu7UxJWiFmTYdBOW5ONXzprm
-----END PRIVATE KEY-----
"""
CERTIFICATE = """\
-----BEGIN CERTIFICATE-----
MIIBajCCARGgAwIBAgIBATAKBggqhkjOPQQDAjAWMRQwEgYDVQQDDAtzaW1pbCB0
ZXN0czAgFw0yMDAxMDEwMDAwMDBaGA8yMTIwMDEwMTAwMDAwMFowFjEUMBIGA1UE
AwwLc2ltaWwgdGVzdHMwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAAQ/0hscs2hp
QeaEM/YV0LMyMWAz6bAPsYPALI/N8Izfi2RupbGjvcV+kgmFONO9Bu7UxJWiFmTY
dBOW5ONXzprmo04wTDAPBgNVHRMBAf8EBTADAQH/MB0GA1UdDgQWBBQgqQizVOlx
636ij6EDTk0HUjgKGzAaBgNVHREEEzARhwR/AAABgglsb2NhbGhvc3QwCgYIKoZI
zj0EAwIDRwAwRAIgIxUd9j4eO4wGGzcvxyBTNs9v/SRYeCd/+eMcRkO8R6kCIApo
vUgiqSntOHFH0tgnv5ZiAVuiMr2FAP4OspR50MMS
-----END CERTIFICATE-----
"""
