# SPDX-License-Identifier: LGPL-2.1-or-later
from ctypes import *
import sys
kmp = CDLL("libkmp.so.1")
kmp.kmp_last_error.restype = c_char_p
text = ["release", "package", "module", "path", "text", "advice"]
Finding = type("Finding", (Structure,), {"_fields_": [("size", c_size_t), ("kind", c_uint32), ("state", c_uint32)]
    + [(name, c_char_p) for name in text] + [("reasons", c_size_t), ("policy", c_uint32), ("loaded", c_uint32)]})
root, report, finding = c_void_p(), c_void_p(), Finding(sizeof(Finding))
if kmp.kmp_open(sys.argv[1].encode(), 0, byref(root)) or kmp.kmp_check(root, None, 0, None, byref(report)):
    sys.exit(kmp.kmp_last_error().decode())
for number in range(kmp.kmp_report_count(report)):
    kmp.kmp_report_get(report, number, byref(finding))
    print(finding.text.decode())
