# SPDX-License-Identifier: Apache-2.0
# Unit tests of agent/, one line each, by room.
foreach(name documents names options service url)
    moor_test(unit/agent/core/${name}_test.c USES core posix)
endforeach()

foreach(name schedule)
    moor_test(unit/agent/identity/${name}_test.c USES identity core http run crypto posix)
endforeach()
