# SPDX-License-Identifier: LGPL-2.1-or-later
# Drivers of packages are available to each kernel that they fit: salt '*' state.apply kmp
drivers:
  kmp.in_place: []
