# SPDX-License-Identifier: Apache-2.0
moor_test(unit/controlplane/engine/beats_test.c USES engine authz crypto store run posix)
moor_test(unit/controlplane/engine/package_test.c USES engine authz crypto store run posix)
moor_test(unit/controlplane/engine/kql_test.c USES engine authz crypto store run posix)
moor_test(unit/controlplane/engine/live_test.c USES engine authz crypto store run posix)
moor_test(unit/controlplane/engine/proof_test.c USES engine authz crypto store run posix)
moor_test(unit/controlplane/engine/desired_test.c USES engine authz crypto store run posix)
moor_test(unit/controlplane/api/range_test.c USES api engine authz store http run crypto posix)
