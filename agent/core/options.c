/* SPDX-License-Identifier: Apache-2.0 */
#include "core/options.h"

#include <string.h>

#include "base/span.h"

#define SEEN_MAX 64

struct reader {
    const struct moor_option_set *sets;
    size_t set_count;
    int count, at;
    char *const *args;
    const char *seen[SEEN_MAX]; /* the fields that were filled */
    size_t seen_count;
};

/* An option and where its value goes. */
struct found {
    const struct moor_option *option; /* NULL = no such option */
    char *field;
};

static struct found find(const struct reader *r, struct moor_span name, char letter)
{
    for (size_t i = 0; i < r->set_count; i++) {
        for (const struct moor_option *o = r->sets[i].table; o && o->name; o++)
            if (letter ? o->letter == letter : moor_span_eq_str(name, o->name))
                return (struct found){ o, (char *)r->sets[i].out + o->offset };
    }
    return (struct found){ NULL, NULL };
}

/* value NULL for a flag. */
static moor_code store(struct reader *r, struct found f, const char *value, struct moor_error *err)
{
    for (size_t i = 0; i < r->seen_count; i++)
        if (r->seen[i] == f.field)
            return moor_fail(err, MOOR_E_BADINPUT, "--%s: given twice", f.option->name);
    if (r->seen_count == SEEN_MAX)
        return moor_fail(err, MOOR_E_BADINPUT, "more than %d options", SEEN_MAX);
    r->seen[r->seen_count++] = f.field;
    if (f.option->argument)
        memcpy(f.field, &value, sizeof(value));
    else
        memcpy(f.field, &(bool){ true }, sizeof(bool));
    return MOOR_OK;
}

static moor_code next_value(struct reader *r, const struct moor_option *o, const char **value,
                            struct moor_error *err)
{
    if (r->at >= r->count)
        return moor_fail(err, MOOR_E_BADINPUT, "--%s: wants a value: %s", o->name, o->argument);
    *value = r->args[r->at++];
    return MOOR_OK;
}

static moor_code read_long(struct reader *r, const char *word, struct moor_error *err)
{
    struct moor_span rest = moor_span_str(word + 2);
    struct moor_span name = moor_span_cut(&rest, '=');
    struct found f = find(r, name, 0);
    const struct moor_option *o = f.option;
    if (!o)
        return moor_fail(err, MOOR_E_BADINPUT, "--%.*s: no such option",
                         (int)(name.n < 40 ? name.n : 40), name.p);
    const char *value = rest.p;
    if (!o->argument && value)
        return moor_fail(err, MOOR_E_BADINPUT, "--%s: takes no value", o->name);
    moor_code c = MOOR_OK;
    if (o->argument && !value)
        c = next_value(r, o, &value, err);
    return c == MOOR_OK ? store(r, f, value, err) : c;
}

static moor_code read_letters(struct reader *r, const char *word, struct moor_error *err)
{
    for (const char *p = word + 1; *p; p++) {
        struct found f = find(r, MOOR_SPAN_NONE, *p);
        const struct moor_option *o = f.option;
        if (!o)
            return moor_fail(err, MOOR_E_BADINPUT, "-%c: no such option", *p);
        const char *value = o->argument && p[1] ? p + 1 : NULL;
        moor_code c = o->argument && !value ? next_value(r, o, &value, err) : MOOR_OK;
        if (c == MOOR_OK)
            c = store(r, f, value, err);
        if (c != MOOR_OK || o->argument)
            return c;
    }
    return MOOR_OK;
}

static moor_code add_word(struct moor_words *words, const char *word, struct moor_error *err)
{
    if (words->count == MOOR_WORDS_MAX)
        return moor_fail(err, MOOR_E_BADINPUT, "more than %d words", MOOR_WORDS_MAX);
    words->items[words->count++] = word;
    return MOOR_OK;
}

moor_code moor_options_parse(const struct moor_option_set *sets, size_t set_count, int count,
                             char *const *args, struct moor_words *words, struct moor_error *err)
{
    struct reader r = { .sets = sets, .set_count = set_count, .count = count, .args = args };
    bool only_words = false;
    moor_code c = MOOR_OK;
    while (c == MOOR_OK && r.at < count) {
        const char *word = args[r.at++];
        if (only_words || word[0] != '-' || word[1] == '\0')
            c = add_word(words, word, err);
        else if (moor_streq(word, "--"))
            only_words = true;
        else if (word[1] == '-')
            c = read_long(&r, word, err);
        else
            c = read_letters(&r, word, err);
    }
    return c;
}

void moor_options_help(const struct moor_option *table, struct moor_buf *b)
{
    for (const struct moor_option *o = table; o->name; o++) {
        MOOR_AUTO(moor_buf) left = MOOR_BUF(256);
        if (!o->help)
            continue;
        if (o->letter)
            moor_buf_fmt(&left, "  -%c, --%s", o->letter, o->name);
        else
            moor_buf_fmt(&left, "      --%s", o->name);
        if (o->argument)
            moor_buf_fmt(&left, " %s", o->argument);
        if (left.len < 38)
            moor_buf_fmt(b, "%-38s %s\n", moor_buf_cstr(&left), o->help);
        else
            moor_buf_fmt(b, "%s\n%39s%s\n", moor_buf_cstr(&left), "", o->help);
    }
}
