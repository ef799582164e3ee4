# SPDX-License-Identifier: Apache-2.0
moor_test(unit/controlplane/engine/beats_test.c USES engine crypto store posix base)
moor_test(unit/controlplane/engine/package_test.c USES engine crypto store posix base)
moor_test(unit/controlplane/engine/kql_test.c USES engine crypto store posix base)
