/* SPDX-License-Identifier: Apache-2.0 */
/* What bash and zsh offer: the verbs, their options, and what stands behind an option. */
#include <string.h>

#include "base/buf.h"
#include "base/span.h"
#include "cli/tables.h"
#include "core/settings.h"

/* What a placeholder stands for; others cannot be guessed. A placeholder with | is the choice. */
static const struct {
    const char *placeholder;
    const char *bash; /* a function of the script */
    const char *zsh;  /* an action of _arguments */
} kinds[] = {
    { "FILE", "_mooring_files", "_files" },
    { "CLOUD", "_mooring_clouds", "_mooring_clouds" },
    { "KEY", "_mooring_keys", "_mooring_keys" },
};

static const char *kind(struct moor_span placeholder, bool zsh)
{
    for (size_t i = 0; i < MOOR_COUNTOF(kinds); i++)
        if (moor_span_eq_str(placeholder, kinds[i].placeholder))
            return zsh ? kinds[i].zsh : kinds[i].bash;
    return NULL;
}

static bool is_choice(const char *argument)
{
    return strchr(argument, '|') && argument[0] >= 'a' && argument[0] <= 'z';
}

/* The first of the words behind a verb, without brackets and dots. */
static struct moor_span first_word(const struct moor_verb *v)
{
    struct moor_span rest = moor_span_str(v->words);
    struct moor_span word = moor_span_cut(&rest, ' ');
    while (word.n > 0 && strchr("[]", word.p[0])) {
        word.p++;
        word.n--;
    }
    while (word.n > 0 && strchr("].", word.p[word.n - 1]))
        word.n--;
    return word;
}

static void list_keys(struct moor_buf *b)
{
    size_t n = 0;
    const struct moor_setting *table = moor_settings_table(&n);
    for (size_t i = 0; i < n; i++)
        moor_buf_fmt(b, "%s%s", i > 0 ? " " : "", table[i].field.name);
}

static void long_options(struct moor_buf *b, const struct moor_option *table)
{
    for (const struct moor_option *o = table; o && o->name; o++)
        if (moor_option_shown(o))
            moor_buf_fmt(b, " --%s", o->name);
}

static void bash_arguments(struct moor_buf *b, const struct moor_verb *v)
{
    for (const struct moor_option *o = v->options; o && o->name; o++) {
        if (!o->argument)
            continue;
        const char *function = kind(moor_span_str(o->argument), false);
        if (!function && !is_choice(o->argument))
            continue;
        moor_buf_fmt(b, "    '%s --%s'", v->name, o->name);
        if (o->letter)
            moor_buf_fmt(b, " | '%s -%c'", v->name, o->letter);
        moor_buf_str(b, ") ");
        if (function)
            moor_buf_str(b, function);
        for (const char *p = o->argument; !function && *p; p++) {
            if (p == o->argument)
                moor_buf_str(b, "echo ");
            moor_buf_char(b, *p == '|' ? ' ' : *p);
        }
        moor_buf_str(b, " ;;\n");
    }
}

void moor_tables_bash(struct moor_buf *b)
{
    size_t n = 0;
    const struct moor_verb *const *verbs = moor_verbs(&n);
    moor_buf_str(b, "_mooring_verbs='");
    for (size_t i = 0; i < n; i++)
        moor_buf_fmt(b, "%s%s", i > 0 ? "\n" : "", verbs[i]->name);
    moor_buf_str(b, "'\n\n_mooring_keys() { echo '");
    list_keys(b);
    moor_buf_str(b, "'; }\n\n_mooring_options() {\n    case \"$1\" in\n");
    for (size_t i = 0; i < n; i++) {
        if (!verbs[i]->options)
            continue;
        moor_buf_fmt(b, "    '%s') echo '", verbs[i]->name);
        long_options(b, verbs[i]->options);
        moor_buf_str(b, " ' ;;\n");
    }
    moor_buf_str(b, "    esac\n    echo '");
    long_options(b, moor_common_options);
    moor_buf_str(b, " '\n}\n\n# \"VERB --option\" or \"VERB\": what stands there.\n"
                    "_mooring_argument() {\n    case \"$1\" in\n");
    for (size_t i = 0; i < n; i++) {
        const char *function = kind(first_word(verbs[i]), false);
        bash_arguments(b, verbs[i]);
        if (function)
            moor_buf_fmt(b, "    '%s') %s ;;\n", verbs[i]->name, function);
    }
    moor_buf_str(b, "    esac\n}\n");
}

/* Text inside '...' of an _arguments specification. */
static void zsh_text(struct moor_buf *b, const char *text)
{
    for (; *text; text++) {
        if (strchr("[]:\\", *text))
            moor_buf_char(b, '\\');
        if (*text == '\'')
            moor_buf_str(b, "'\\'");
        moor_buf_char(b, *text);
    }
}

static void zsh_argument(struct moor_buf *b, const char *argument)
{
    const char *action = kind(moor_span_str(argument), true);
    moor_buf_char(b, ':');
    zsh_text(b, argument);
    moor_buf_char(b, ':');
    if (action)
        moor_buf_str(b, action);
    if (action || !is_choice(argument))
        return;
    moor_buf_char(b, '(');
    for (const char *p = argument; *p; p++)
        moor_buf_char(b, *p == '|' ? ' ' : *p);
    moor_buf_char(b, ')');
}

static void zsh_options(struct moor_buf *b, const struct moor_option *table)
{
    for (const struct moor_option *o = table; o && o->name; o++) {
        for (int form = o->letter ? 0 : 1; moor_option_shown(o) && form < 2; form++) {
            if (form == 0)
                moor_buf_fmt(b, " \\\n            '-%c%s[", o->letter, o->argument ? "+" : "");
            else
                moor_buf_fmt(b, " \\\n            '--%s%s[", o->name, o->argument ? "=" : "");
            zsh_text(b, o->help);
            moor_buf_char(b, ']');
            if (o->argument)
                zsh_argument(b, o->argument);
            moor_buf_char(b, '\'');
        }
    }
}

void moor_tables_zsh(struct moor_buf *b)
{
    size_t n = 0;
    const struct moor_verb *const *verbs = moor_verbs(&n);
    moor_buf_str(b, "_mooring_verbs=(\n");
    for (size_t i = 0; i < n; i++) {
        moor_buf_fmt(b, "    '%s:", verbs[i]->name);
        zsh_text(b, verbs[i]->summary);
        moor_buf_str(b, "'\n");
    }
    moor_buf_str(b, ")\n\n_mooring_keys() { compadd ");
    list_keys(b);
    moor_buf_str(b, "; }\n\n_mooring_arguments() {\n    case \"$1\" in\n");
    for (size_t i = 0; i < n; i++) {
        const char *action = kind(first_word(verbs[i]), true);
        moor_buf_fmt(b, "    '%s')\n        _arguments -s", verbs[i]->name);
        zsh_options(b, moor_common_options);
        zsh_options(b, verbs[i]->options);
        if (action)
            moor_buf_fmt(b, " \\\n            '1::%s'", action);
        moor_buf_str(b, "\n        ;;\n");
    }
    moor_buf_str(b, "    esac\n}\n");
}
