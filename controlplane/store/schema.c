/* SPDX-License-Identifier: Apache-2.0 */
#include "store/schema.h"

#include "base/attr.h"

/*
 * Times are milliseconds since 1970 UTC. A "key" column is the id in lower case: ids compare
 * without case, and children of an id are one range of keys.
 */
static const char step_1[] =
    "CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;"

    "CREATE TABLE resources (key TEXT PRIMARY KEY, id TEXT NOT NULL, type TEXT NOT NULL,"
    " subscription TEXT NOT NULL, grp TEXT NOT NULL, name TEXT NOT NULL, location TEXT NOT NULL,"
    " alias TEXT NOT NULL, tags TEXT NOT NULL, properties TEXT NOT NULL, envelope TEXT NOT NULL,"
    " created_ms INTEGER NOT NULL, updated_ms INTEGER NOT NULL, created_by TEXT NOT NULL,"
    " created_by_type TEXT NOT NULL, updated_by TEXT NOT NULL, updated_by_type TEXT NOT NULL,"
    " version INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE UNIQUE INDEX resources_alias ON resources (lower(type), alias) WHERE alias <> '';"

    "CREATE TABLE operations (id TEXT PRIMARY KEY, kind INTEGER NOT NULL, status INTEGER NOT NULL,"
    " resource_id TEXT NOT NULL, caller TEXT NOT NULL, started_ms INTEGER NOT NULL,"
    " ended_ms INTEGER NOT NULL, error_code TEXT NOT NULL, error_message TEXT NOT NULL,"
    " resource_key TEXT NOT NULL) WITHOUT ROWID;"
    "CREATE INDEX operations_open ON operations (resource_key) WHERE status = 0;"
    "CREATE INDEX operations_ended ON operations (ended_ms) WHERE status <> 0;"

    "CREATE TABLE principals (kind INTEGER NOT NULL, object_id TEXT PRIMARY KEY,"
    " client_id TEXT NOT NULL UNIQUE, tenant_id TEXT NOT NULL, name TEXT NOT NULL,"
    " vm_id TEXT NOT NULL, resource_id TEXT NOT NULL, disabled INTEGER NOT NULL,"
    " created_ms INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE secrets (object_id TEXT NOT NULL, salt BLOB NOT NULL, hash BLOB NOT NULL,"
    " expires_ms INTEGER NOT NULL);"
    "CREATE INDEX secrets_object ON secrets (object_id);"
    "CREATE TABLE credentials (sha256 BLOB PRIMARY KEY, sha1 BLOB NOT NULL,"
    " object_id TEXT NOT NULL, der BLOB NOT NULL, not_before_ms INTEGER NOT NULL,"
    " not_after_ms INTEGER NOT NULL, first_used_ms INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE INDEX credentials_sha1 ON credentials (sha1);"
    "CREATE INDEX credentials_object ON credentials (object_id);"
    "CREATE TABLE role_assignments (id TEXT PRIMARY KEY, role_id TEXT NOT NULL,"
    " principal_id TEXT NOT NULL, scope TEXT NOT NULL, created_ms INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE INDEX role_assignments_principal ON role_assignments (principal_id);"

    "CREATE TABLE machines (vm_id TEXT PRIMARY KEY, resource_id TEXT NOT NULL,"
    " tenant_id TEXT NOT NULL, client_id TEXT NOT NULL, principal_id TEXT NOT NULL,"
    " disabled INTEGER NOT NULL, created_ms INTEGER NOT NULL, deleted_ms INTEGER NOT NULL,"
    " desired_counter INTEGER NOT NULL, settings_cert TEXT NOT NULL, resource_key TEXT NOT NULL)"
    " WITHOUT ROWID;"
    "CREATE UNIQUE INDEX machines_resource ON machines (resource_key) WHERE deleted_ms = 0;"
    "CREATE TABLE machine_keys (vm_id TEXT NOT NULL, public_key TEXT NOT NULL,"
    " state INTEGER NOT NULL, since_ms INTEGER NOT NULL, PRIMARY KEY (vm_id, public_key))"
    " WITHOUT ROWID;"
    "CREATE TABLE machine_docs (vm_id TEXT NOT NULL, kind TEXT NOT NULL, json TEXT NOT NULL,"
    " written_ms INTEGER NOT NULL, PRIMARY KEY (kind, vm_id)) WITHOUT ROWID;"

    "CREATE TABLE extensions (resource_id TEXT NOT NULL, vm_id TEXT NOT NULL, name TEXT NOT NULL,"
    " publisher TEXT NOT NULL, type TEXT NOT NULL, version TEXT NOT NULL,"
    " uninstall INTEGER NOT NULL, settings_seq INTEGER NOT NULL, settings TEXT NOT NULL,"
    " force_tag TEXT NOT NULL, auto_upgrade_minor INTEGER NOT NULL,"
    " automatic_upgrade INTEGER NOT NULL, protect INTEGER NOT NULL, blob BLOB NOT NULL,"
    " thumbprint TEXT NOT NULL, clear_mac BLOB NOT NULL, reported TEXT NOT NULL,"
    " updated_ms INTEGER NOT NULL, chosen TEXT NOT NULL, chosen_seq INTEGER NOT NULL,"
    " resource_key TEXT PRIMARY KEY) WITHOUT ROWID;"
    "CREATE INDEX extensions_machine ON extensions (vm_id);"

    "CREATE TABLE packages (publisher TEXT NOT NULL, type TEXT NOT NULL, version TEXT NOT NULL,"
    " sha256 TEXT NOT NULL, size INTEGER NOT NULL, publisher_signature INTEGER NOT NULL,"
    " published_ms INTEGER NOT NULL);"
    "CREATE UNIQUE INDEX packages_name ON packages (lower(publisher), lower(type), version);"
    "CREATE INDEX packages_sha256 ON packages (sha256);"

    "CREATE TABLE log_rows (id INTEGER PRIMARY KEY, workspace TEXT NOT NULL, tbl TEXT NOT NULL,"
    " time_ms INTEGER NOT NULL, received_ms INTEGER NOT NULL, json TEXT NOT NULL);"
    "CREATE INDEX log_rows_time ON log_rows (workspace, tbl, time_ms);";

static const char step_2[] =
    "CREATE TABLE device_codes (user_code TEXT PRIMARY KEY, hash BLOB NOT NULL UNIQUE,"
    " client_id TEXT NOT NULL, resource TEXT NOT NULL, peer TEXT NOT NULL,"
    " object_id TEXT NOT NULL, state INTEGER NOT NULL, created_ms INTEGER NOT NULL,"
    " expires_ms INTEGER NOT NULL, polled_ms INTEGER NOT NULL) WITHOUT ROWID;";

static const char step_3[] =
    "ALTER TABLE packages ADD COLUMN multi_config INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE extensions ADD COLUMN provision_after TEXT NOT NULL DEFAULT '[]';";

static const char step_4[] =
    "CREATE TABLE run_commands (resource_id TEXT NOT NULL, vm_id TEXT NOT NULL, name TEXT NOT NULL,"
    " execution_id TEXT NOT NULL, spec TEXT NOT NULL, protect INTEGER NOT NULL, blob BLOB NOT NULL,"
    " thumbprint TEXT NOT NULL, clear_mac BLOB NOT NULL, expires_ms INTEGER NOT NULL,"
    " finished INTEGER NOT NULL, removed INTEGER NOT NULL, reported TEXT NOT NULL,"
    " updated_ms INTEGER NOT NULL, resource_key TEXT PRIMARY KEY) WITHOUT ROWID;"
    "CREATE INDEX run_commands_machine ON run_commands (vm_id);";

static const char step_5[] =
    "CREATE TABLE agent_packages (name TEXT PRIMARY KEY, format TEXT NOT NULL, arch TEXT NOT NULL,"
    " version TEXT NOT NULL, sha256 TEXT NOT NULL, size INTEGER NOT NULL,"
    " published_ms INTEGER NOT NULL) WITHOUT ROWID;";

const char *const moor_sqlite_steps[] = { step_1, step_2, step_3, step_4, step_5 };
const size_t moor_sqlite_step_count = MOOR_COUNTOF(moor_sqlite_steps);
