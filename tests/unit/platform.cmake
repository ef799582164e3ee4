# SPDX-License-Identifier: Apache-2.0
# Unit tests of platform/, one line each, by room.
foreach(name arena buf error secret sha256 span text timefmt)
    moor_test(unit/platform/base/${name}_test.c USES base)
endforeach()
