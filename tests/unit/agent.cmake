# SPDX-License-Identifier: Apache-2.0
# Unit tests of agent/, one line each, by room.
foreach(name documents settings names options policy service url)
    moor_test(unit/agent/core/${name}_test.c USES core posix)
endforeach()
moor_test(unit/agent/core/trail_test.c USES disk core fakes posix)
file(MAKE_DIRECTORY "${CMAKE_BINARY_DIR}/tests/root.core.trail")
set_tests_properties(unit.agent.core.trail PROPERTIES
    ENVIRONMENT "MOORING_ROOT=${CMAKE_BINARY_DIR}/tests/root.core.trail")
moor_test(unit/agent/core/proxy_test.c USES core http contract_os posix)

moor_test(unit/agent/identity/schedule_test.c USES identity core http run crypto posix)
moor_test(unit/agent/identity/facts_test.c USES identity core http run crypto posix)
# These touch files, in a root of their own, on virtual time.
foreach(name audit challenge hostcloud registration tokens)
    moor_test(unit/agent/identity/${name}_test.c USES identity core http fakes run crypto posix)
    set(root "${CMAKE_BINARY_DIR}/tests/root.identity.${name}")
    file(MAKE_DIRECTORY "${root}")
    set_tests_properties(unit.agent.identity.${name} PROPERTIES ENVIRONMENT "MOORING_ROOT=${root}")
endforeach()


moor_test(unit/agent/cli/pairs_test.c USES cli connect core http run crypto posix)
moor_test(unit/agent/cli/tags_test.c USES cli manager connect core http run crypto posix)
moor_test(unit/agent/cli/journal_test.c USES cli connect core http run crypto posix)
moor_test(unit/agent/cli/redact_test.c USES cli contract connect core http run crypto posix)
moor_test(unit/agent/connect/connect_test.c USES connect core http run crypto posix)
moor_test(unit/agent/fetch/fetch_test.c USES fetch core http run posix)
moor_test(unit/agent/fetch/transport_test.c USES core http run posix)
file(MAKE_DIRECTORY "${CMAKE_BINARY_DIR}/tests/root.fetch")
set_tests_properties(unit.agent.fetch.transport PROPERTIES
    ENVIRONMENT "MOORING_ROOT=${CMAKE_BINARY_DIR}/tests/root.fetch")

foreach(name glob kin rules lines mark pack queue send syslog transform w3c)
    moor_test(unit/agent/logs/${name}_test.c USES logs core http run crypto posix)
endforeach()
file(MAKE_DIRECTORY "${CMAKE_BINARY_DIR}/tests/root.logs.glob")
set_tests_properties(unit.agent.logs.glob PROPERTIES
    ENVIRONMENT "MOORING_ROOT=${CMAKE_BINARY_DIR}/tests/root.logs.glob")
# On a pretended disk.
moor_test(unit/agent/logs/ledger_test.c USES disk logs core http run crypto posix)
moor_test(unit/agent/logs/never_lost_test.c LABEL contract
    USES disk logs core http crypto fakes run posix)
set(root "${CMAKE_BINARY_DIR}/tests/root.logs.never_lost")
file(MAKE_DIRECTORY "${root}")
set_tests_properties(unit.agent.logs.never_lost PROPERTIES
    ENVIRONMENT "MOORING_ROOT=${root}" TIMEOUT 600)
