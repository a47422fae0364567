/* SPDX-License-Identifier: Apache-2.0 OR BSD-3-Clause */
/* Copyright The vhost-device-gpu authors */
#pragma once

#include "session/session.h"

/**
 * confine_begin() - Enter the first stage of the sandbox of a session
 * @config: borrowed as long as the sandbox is
 *
 * To be called while there is one thread. Return: the sandbox, for sandbox_close() and
 * sandbox_destroy(); owned by the caller. NULL where a part that is required is not active, which was
 * logged.
 */
struct sandbox *confine_begin(const struct session_config *config);
