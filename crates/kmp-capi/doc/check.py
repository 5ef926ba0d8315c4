# SPDX-License-Identifier: LGPL-2.1-or-later
import sys
import kmp
for finding in kmp.System(sys.argv[1]).check():
    print(finding.text)
