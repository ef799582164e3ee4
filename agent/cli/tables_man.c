/* SPDX-License-Identifier: Apache-2.0 */
/* Parts of mooring(1), in mdoc. */
#include <ctype.h>
#include <string.h>

#include "base/buf.h"
#include "base/span.h"
#include "cli/tables.h"
#include "core/settings.h"

#define LINE_WIDTH 78

/* Text of mdoc escapes: a backslash always, and hyphens so that options can be copied. */
static void escaped(struct moor_buf *b, const char *word, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (word[i] == '\\')
            moor_buf_str(b, "\\e");
        else if (word[i] == '-')
            moor_buf_str(b, "\\-");
        else
            moor_buf_char(b, word[i]);
    }
}

static bool ends_sentence(const char *word, size_t n)
{
    while (n > 0 && (word[n - 1] == ')' || word[n - 1] == '"'))
        n--;
    return n > 1 && (word[n - 1] == '.' || word[n - 1] == '?') && word[n - 2] != '.';
}

/* Filled lines, a new one for every sentence; an empty line of the text parts paragraphs. */
static void flow(struct moor_buf *b, const char *text)
{
    size_t column = 0;
    while (*text) {
        size_t gap = strspn(text, " \n");
        bool paragraph = gap > 1 && memchr(text, '\n', gap) && text[1] == '\n';
        text += gap;
        size_t n = strcspn(text, " \n");
        if (n == 0)
            break;
        if (column > 0 && (paragraph || column + 1 + n > LINE_WIDTH)) {
            moor_buf_char(b, '\n');
            column = 0;
        }
        if (paragraph)
            moor_buf_str(b, ".Pp\n");
        if (column > 0)
            moor_buf_char(b, ' ');
        else if (*text == '.' || *text == '\'')
            moor_buf_str(b, "\\&");
        escaped(b, text, n);
        column += n + 1;
        if (ends_sentence(text, n)) {
            moor_buf_char(b, '\n');
            column = 0;
        }
        text += n;
    }
    if (column > 0)
        moor_buf_char(b, '\n');
}

/* "print this help" -> "Print this help." */
static void sentence(struct moor_buf *b, const char *fragment)
{
    MOOR_AUTO(moor_buf) text = MOOR_BUF(4096);
    moor_buf_char(&text, (char)toupper((unsigned char)*fragment));
    moor_buf_fmt(&text, "%s.", fragment + 1);
    flow(b, moor_buf_cstr(&text));
}

static void lower(struct moor_buf *b, const char *word)
{
    for (; *word; word++)
        moor_buf_char(b, (char)tolower((unsigned char)*word));
}

static void argument(struct moor_buf *b, const struct moor_option *o)
{
    if (!o->argument)
        return;
    moor_buf_str(b, " Ar ");
    lower(b, o->argument);
}

static void items(struct moor_buf *b, const struct moor_option *table)
{
    moor_buf_str(b, ".Bl -tag -width Ds\n");
    for (const struct moor_option *o = table; o->name; o++) {
        if (!moor_option_shown(o))
            continue;
        moor_buf_str(b, ".It ");
        if (o->letter)
            moor_buf_fmt(b, "Fl %c , ", o->letter);
        moor_buf_fmt(b, "Fl -%s", o->name);
        argument(b, o);
        moor_buf_char(b, '\n');
        sentence(b, o->help);
    }
    moor_buf_str(b, ".El\n");
}

/* "[KEY] VALUE..." -> ".Op Ar key", ".Ar value ..." */
static void words(struct moor_buf *b, const char *text)
{
    struct moor_span rest = moor_span_str(text);
    while (rest.n > 0) {
        struct moor_span word = moor_span_cut(&rest, ' ');
        bool optional = word.p[0] == '[';
        bool many = memchr(word.p, '.', word.n) != NULL;
        moor_buf_str(b, optional ? ".Op Ar " : ".Ar ");
        for (size_t i = 0; i < word.n; i++)
            if (!strchr("[].", word.p[i]))
                moor_buf_char(b, (char)tolower((unsigned char)word.p[i]));
        moor_buf_str(b, many ? " ...\n" : "\n");
    }
}

void moor_tables_man_synopsis(struct moor_buf *b)
{
    size_t n = 0;
    const struct moor_verb *const *verbs = moor_verbs(&n);
    for (size_t i = 0; i < n; i++) {
        moor_buf_fmt(b, ".Nm\n.Cm %s\n", verbs[i]->name);
        for (const struct moor_option *o = verbs[i]->options; o && o->name; o++) {
            if (!moor_option_shown(o))
                continue;
            if (o->letter)
                moor_buf_fmt(b, ".Op Fl %c", o->letter);
            else
                moor_buf_fmt(b, ".Op Fl -%s", o->name);
            argument(b, o);
            moor_buf_char(b, '\n');
        }
        words(b, verbs[i]->words);
    }
}

void moor_tables_man_common(struct moor_buf *b)
{
    items(b, moor_common_options);
}

void moor_tables_man_verbs(struct moor_buf *b)
{
    size_t n = 0;
    const struct moor_verb *const *verbs = moor_verbs(&n);
    for (size_t i = 0; i < n; i++) {
        moor_buf_fmt(b, ".Ss %s\n", verbs[i]->name);
        sentence(b, verbs[i]->summary);
        if (verbs[i]->text)
            flow(b, verbs[i]->text);
        if (verbs[i]->admin)
            moor_buf_str(b, "Needs administrator rights.\n");
        if (verbs[i]->options)
            items(b, verbs[i]->options);
    }
}

void moor_tables_man_settings(struct moor_buf *b)
{
    size_t n = 0;
    const struct moor_setting *table = moor_settings_table(&n);
    moor_buf_str(b, ".Bl -tag -width Ds\n");
    for (size_t i = 0; i < n; i++) {
        MOOR_AUTO(moor_buf) type = MOOR_BUF(256);
        MOOR_AUTO(moor_buf) rest = MOOR_BUF(1024);
        moor_setting_type(&table[i], &type);
        moor_buf_fmt(b, ".It Cm %s\n", table[i].field.name);
        sentence(b, table[i].help);
        moor_buf_fmt(&rest, "Takes %s; default %s.%s", moor_buf_cstr(&type), table[i].initial,
                     table[i].state == MOOR_SETTING_KEPT ? " Not available." : "");
        flow(b, moor_buf_cstr(&rest));
    }
    moor_buf_str(b, ".El\n");
}

void moor_tables_man_exit(struct moor_buf *b)
{
    size_t n = 0;
    const struct moor_azcm_entry *table = moor_azcm_table(&n);
    moor_buf_str(b, ".Bl -tag -width 4n -compact\n");
    for (size_t i = 0; i < n; i++) {
        if (table[i].number == AZCM_OK)
            continue;
        moor_buf_fmt(b, ".It %d\n", (int)table[i].number);
        sentence(b, table[i].text);
    }
    moor_buf_str(b, ".El\n");
}
