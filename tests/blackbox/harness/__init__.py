# SPDX-License-Identifier: Apache-2.0
"""What black-box and client tests share: the real programs, started and watched."""
