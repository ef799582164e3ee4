/* SPDX-License-Identifier: Apache-2.0 */
#include "core/policy.h"

#include <string.h>

#include "base/span.h"
#include "core/trust.h"

static const char *const verbs[] = {
    [MOOR_POLICY_INSTALL] = "install",        [MOOR_POLICY_UPDATE] = "update",
    [MOOR_POLICY_CONFIGURE] = "configure",    [MOOR_POLICY_ENABLE] = "enable",
    [MOOR_POLICY_UNINSTALL] = "uninstall",    [MOOR_POLICY_RUN_COMMAND] = "runCommand",
    [MOOR_POLICY_END_COMMAND] = "endCommand", [MOOR_POLICY_COLLECT] = "collect",
};

/* What policy.deny may name. What takes away is not among it. */
static const struct {
    const char *name;
    moor_policy_verb verb;
    unsigned wish; /* 0: any of the verb */
    const char *why;
} deniable[] = {
    { "install", MOOR_POLICY_INSTALL, 0, "extensions may not be installed" },
    { "update", MOOR_POLICY_UPDATE, 0, "extensions may not be updated" },
    { "configure", MOOR_POLICY_CONFIGURE, 0, "settings of extensions may not be changed" },
    { "runCommand", MOOR_POLICY_RUN_COMMAND, 0, "run commands are switched off" },
    { "runCommand.scriptUri", MOOR_POLICY_RUN_COMMAND, MOOR_POLICY_SCRIPT_URI,
      "run commands may not fetch their script" },
    { "runCommand.blobs", MOOR_POLICY_RUN_COMMAND, MOOR_POLICY_BLOBS,
      "run commands may not send their output anywhere" },
    { "runCommand.asRoot", MOOR_POLICY_RUN_COMMAND, MOOR_POLICY_AS_ROOT,
      "run commands may not run as root: runAsUser is needed" },
    { "collect", MOOR_POLICY_COLLECT, 0, "data collection rules are switched off" },
};

const char *moor_policy_verb_name(moor_policy_verb v)
{
    return verbs[v];
}

/* "Publisher/Type" */
static bool names(const char *entry, const char *publisher, const char *type)
{
    size_t n = strlen(publisher);
    return strlen(entry) == n + 1 + strlen(type) && entry[n] == '/' &&
           moor_span_eq_nocase(moor_span(entry, n), moor_span_str(publisher)) &&
           moor_strcasecmp(entry + n + 1, type) == 0;
}

static bool listed(const struct moor_str_list *list, const struct moor_policy_request *r)
{
    for (size_t i = 0; i < list->count; i++) {
        if (names(list->items[i], r->publisher, r->type))
            return true;
    }
    return false;
}

static bool has_name(const struct moor_str_list *list, const char *name)
{
    for (size_t i = 0; i < list->count; i++) {
        if (moor_strcasecmp(list->items[i], name) == 0)
            return true;
    }
    return false;
}

/* Why policy.deny forbids it; NULL: it does not. */
static const char *why_denied(const struct moor_settings *s, const struct moor_policy_request *r)
{
    for (size_t i = 0; i < MOOR_COUNTOF(deniable); i++) {
        if (deniable[i].verb == r->verb && (deniable[i].wish & ~r->wishes) == 0 &&
            has_name(&s->policy_deny, deniable[i].name))
            return deniable[i].why;
    }
    return NULL;
}

/* What the rules about extensions say. */
static bool handler_allowed(const struct moor_settings *s, const struct moor_policy_request *r,
                            struct moor_policy_denial *out)
{
    bool allow_list = s->extensions_allowlist.count > 0;
    const struct {
        bool refused;
        const char *rule, *why;
    } rules[] = {
        { !s->extensions_enabled, "extensions.enabled", "extensions are switched off" },
        { s->config_mode == MOOR_MODE_MONITOR && !listed(&s->extensions_monitorlist, r),
          "config.mode", "the machine is in monitor mode" },
        { listed(&s->extensions_blocklist, r), "extensions.blocklist", "it is blocked" },
        { allow_list && !listed(&s->extensions_allowlist, r), "extensions.allowlist",
          "it is not on the allow list" },
    };
    for (size_t i = 0; i < MOOR_COUNTOF(rules); i++) {
        if (rules[i].refused) {
            *out = (struct moor_policy_denial){ rules[i].rule, rules[i].why };
            return false;
        }
    }
    return true;
}

bool moor_policy_allows(const struct moor_settings *s, const struct moor_policy_request *r,
                        struct moor_policy_denial *out)
{
    struct moor_policy_request of = *r;
    if (r->verb == MOOR_POLICY_UNINSTALL || r->verb == MOOR_POLICY_END_COMMAND)
        return true;
    if (s->refused) {
        *out = (struct moor_policy_denial){ MOOR_LOCALCONFIG_NAME,
                                            "its local settings cannot be read" };
        return false;
    }
    const char *why = why_denied(s, r);
    if (why) {
        *out = (struct moor_policy_denial){ "policy.deny", why };
        return false;
    }
    if (r->verb == MOOR_POLICY_COLLECT)
        return true;
    if (r->verb == MOOR_POLICY_RUN_COMMAND) {
        of.publisher = MOOR_POLICY_RUN_PUBLISHER;
        of.type = MOOR_POLICY_RUN_TYPE;
    }
    return handler_allowed(s, &of, out);
}

void moor_policy_explain(struct moor_buf *b, const char *what, const struct moor_policy_denial *d)
{
    moor_buf_fmt(b, "%s is refused by this machine: %s (%s)", what, d->why, d->rule);
}

/* "Contoso.*=publisher"; false: it is none. */
static bool read_signature(const char *entry, struct moor_span *publisher, moor_signature_rule *out)
{
    struct moor_span rule = moor_span_str(entry);
    *publisher = moor_span_cut(&rule, '=');
    const char *star = memchr(publisher->p, '*', publisher->n);
    if (publisher->n == 0 || (star && star != publisher->p + publisher->n - 1))
        return false;
    for (size_t i = 0; moor_signature_rules[i]; i++) {
        if (!moor_span_eq_str(rule, moor_signature_rules[i]))
            continue;
        *out = (moor_signature_rule)i;
        return true;
    }
    return false;
}

moor_signature_rule moor_policy_signature(const struct moor_settings *s, const char *publisher)
{
    moor_signature_rule best = (moor_signature_rule)s->signature_required;
    size_t best_weight = 0;
    for (size_t i = 0; i < s->signature_by_publisher.count; i++) {
        struct moor_span pattern;
        moor_signature_rule rule;
        if (!read_signature(s->signature_by_publisher.items[i], &pattern, &rule) ||
            !moor_publisher_matches(pattern, publisher))
            continue;
        size_t weight = moor_span_ends(pattern, "*") ? pattern.n : SIZE_MAX;
        if (weight > best_weight || (weight == best_weight && rule > best))
            best = rule;
        if (weight > best_weight)
            best_weight = weight;
    }
    return best;
}

moor_code moor_policy_check_deny(const char *text, struct moor_error *err)
{
    MOOR_AUTO(moor_buf) all = MOOR_BUF(512);
    for (size_t i = 0; i < MOOR_COUNTOF(deniable); i++) {
        if (moor_strcasecmp(deniable[i].name, text) == 0)
            return MOOR_OK;
        moor_buf_fmt(&all, "%s%s", i == 0 ? "" : ", ", deniable[i].name);
    }
    return moor_fail(err, MOOR_E_BADINPUT, "\"%s\": want one of %s", text, moor_buf_cstr(&all));
}

moor_code moor_policy_check_signature(const char *text, struct moor_error *err)
{
    struct moor_span publisher;
    moor_signature_rule rule;
    if (read_signature(text, &publisher, &rule))
        return MOOR_OK;
    return moor_fail(err, MOOR_E_BADINPUT,
                     "\"%s\": want PUBLISHER=no, gallery or publisher; PUBLISHER may end in *",
                     text);
}
