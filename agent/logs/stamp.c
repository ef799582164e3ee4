/* SPDX-License-Identifier: Apache-2.0 */
#include "logs/stamp.h"

#include <string.h>

#include "base/timefmt.h"

/*
 * A shape is made of: Y year of four digits, y of two, M and D month and day of one or two digits,
 * m and d of two, N a month's English name of three letters, h hour, i minute, s second (two digits
 * each), f a fraction or none, a "AM" or "PM", z a zone ("Z", "+01:00", "+0100") or none. All else
 * stands for itself.
 */
struct moor_stamp_format {
    const char *name, *shape;
    bool anywhere; /* behind the first '[' of the line */
};

static const struct moor_stamp_format formats[] = {
    { "ISO 8601", "Y-m-dTh:i:sfz", false },
    { "yyyy-MM-ddTHH:mm:ssk", "Y-m-dTh:i:sfz", false },
    { "YYYY-MM-DD HH:MM:SS", "Y-m-d h:i:s", false },
    { "M/D/YYYY HH:MM:SS AM/PM", "M/D/Y D:i:s a", false },
    { "Mon DD, YYYY HH:MM:SS", "N D, Y h:i:s", false },
    { "yyMMdd HH:mm:ss", "ymd h:i:s", false },
    { "ddMMyy HH:mm:ss", "dmy h:i:s", false },
    { "MMM d HH:mm:ss", "N D h:i:s", false },
    { "dd/MMM/yyyy:HH:mm:ss zzz", "d/N/Y:h:i:s z", true },
};
static const char bsd_shape[] = "N D h:i:s";
static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

const struct moor_stamp_format *moor_stamp_find(const char *name)
{
    for (size_t i = 0; i < MOOR_COUNTOF(formats); i++)
        if (moor_strcasecmp(name, formats[i].name) == 0)
            return &formats[i];
    return NULL;
}

/* Between least and most digits at the front, of at most max; -1 = no. */
static int number(struct moor_span *s, size_t least, size_t most, int max)
{
    int v = 0;
    size_t n = 0;
    for (; n < most && n < s->n && s->p[n] >= '0' && s->p[n] <= '9'; n++)
        v = v * 10 + (s->p[n] - '0');
    if (n < least || v > max)
        return -1;
    s->p += n;
    s->n -= n;
    return v;
}

static int month_name(struct moor_span *s)
{
    for (int i = 0; s->n >= 3 && i < 12; i++) {
        if (!moor_span_eq_nocase(moor_span(s->p, 3), moor_span(months + (size_t)i * 3, 3)))
            continue;
        s->p += 3;
        s->n -= 3;
        return i + 1;
    }
    return -1;
}

static bool take(struct moor_span *s, char c)
{
    if (s->n == 0 || *s->p != c)
        return false;
    s->p++;
    s->n--;
    return true;
}

static bool take_zone(struct moor_span *s)
{
    if (take(s, 'Z') || s->n == 0 || (*s->p != '+' && *s->p != '-'))
        return true;
    s->p++;
    s->n--;
    if (number(s, 2, 2, 23) < 0)
        return false;
    (void)take(s, ':');
    return number(s, 2, 2, 59) >= 0;
}

static bool take_fraction(struct moor_span *s)
{
    if (!take(s, '.') && !take(s, ','))
        return true;
    size_t n = 0;
    while (n < s->n && s->p[n] >= '0' && s->p[n] <= '9')
        n++;
    s->p += n;
    s->n -= n;
    return n > 0;
}

static bool take_half(struct moor_span *s)
{
    bool good = s->n >= 2 && (moor_span_eq_nocase(moor_span(s->p, 2), MOOR_SPAN_LIT("AM")) ||
                              moor_span_eq_nocase(moor_span(s->p, 2), MOOR_SPAN_LIT("PM")));
    s->p += good ? 2 : 0;
    s->n -= good ? 2 : 0;
    return good;
}

/* A shape's numbers: digits, and what they may say. */
static const struct part {
    char letter;
    unsigned char least, most;
    int min, max;
    size_t to; /* in struct moor_date */
} parts[] = {
    { 'Y', 4, 4, 0, 9999, offsetof(struct moor_date, year) },
    { 'y', 2, 2, 0, 99, offsetof(struct moor_date, year) },
    { 'M', 1, 2, 1, 12, offsetof(struct moor_date, month) },
    { 'm', 2, 2, 1, 12, offsetof(struct moor_date, month) },
    { 'D', 1, 2, 1, 31, offsetof(struct moor_date, day) },
    { 'd', 2, 2, 1, 31, offsetof(struct moor_date, day) },
    { 'h', 2, 2, 0, 23, offsetof(struct moor_date, hour) },
    { 'i', 2, 2, 0, 59, offsetof(struct moor_date, minute) },
    { 's', 2, 2, 0, 60, offsetof(struct moor_date, second) },
};

static const struct part *part_of(char letter)
{
    for (size_t i = 0; i < MOOR_COUNTOF(parts); i++)
        if (parts[i].letter == letter)
            return &parts[i];
    return NULL;
}

/* A day of one digit may have a blank before it. */
static bool take_number(struct moor_span *s, const struct part *p, struct moor_date *d)
{
    if (p->letter == 'D')
        (void)take(s, ' ');
    int v = number(s, p->least, p->most, p->max);
    memcpy((char *)d + p->to, &v, sizeof(v));
    return v >= p->min;
}

static bool take_month_name(struct moor_span *s, struct moor_date *d)
{
    d->month = month_name(s);
    return d->month > 0;
}

static bool match(const char *shape, struct moor_span *s, struct moor_date *d)
{
    bool good = true;
    for (; good && *shape; shape++) {
        const struct part *p = part_of(*shape);
        if (p)
            good = take_number(s, p, d);
        else if (*shape == 'N')
            good = take_month_name(s, d);
        else if (*shape == 'f')
            good = take_fraction(s);
        else if (*shape == 'z')
            good = take_zone(s);
        else if (*shape == 'a')
            good = take_half(s);
        else
            good = take(s, *shape);
    }
    return good;
}

bool moor_stamp_begins(const struct moor_stamp_format *f, struct moor_span line)
{
    struct moor_date d = { .year = 0 };
    const char *open = f->anywhere && line.n ? memchr(line.p, '[', line.n) : NULL;
    if (open)
        line = moor_span(open, (size_t)(line.p + line.n - open));
    if (line.n > 0 && line.p[0] == '[') {
        line.p++;
        line.n--;
    }
    return match(f->shape, &line, &d);
}

size_t moor_stamp_bsd(struct moor_span s, int64_t now_ms, int64_t offset_ms, int64_t *ms)
{
    struct moor_date now, d = { .year = 0 };
    struct moor_span rest = s;
    if (!match(bsd_shape, &rest, &d) || (rest.n > 0 && !take(&rest, ' ')))
        return 0;
    moor_date_from_ms(now_ms + offset_ms, &now);
    int64_t best = INT64_MAX;
    for (int year = now.year - 1; year <= now.year + 1; year++) {
        d.year = year;
        int64_t at = moor_date_to_ms(&d) - offset_ms;
        int64_t far = at > now_ms ? at - now_ms : now_ms - at;
        if (far < best) {
            best = far;
            *ms = at;
        }
    }
    return s.n - rest.n;
}
