# SPDX-License-Identifier: Apache-2.0
moor_test(unit/extensions/contract/contract_test.c USES contract)
