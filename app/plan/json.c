/*
 * The plan as JSON. Written by hand into one buffer: this is on the way of every launch.
 *
 * JSON is UTF-8 and an argument or a path may be any bytes: a byte that is no UTF-8 travels as the
 * private character U+10FF00 + byte, and so does each byte of such a character itself.
 */
#include "app/plan/fields.h"
#include "app/plan/json_bytes.h"

struct writer {
    struct buf to;
    bool pretty;
    unsigned depth;
    bool first; /* of an object or a list */
};

static void write_break(struct writer *w)
{
    if (!w->first)
        buf_putc(&w->to, ',');
    w->first = false;
    if (!w->pretty)
        return;
    buf_putc(&w->to, '\n');
    for (unsigned i = 0; i < w->depth; i++)
        buf_puts(&w->to, "  ");
}

static void write_open(struct writer *w, char bracket)
{
    buf_putc(&w->to, bracket);
    w->depth++;
    w->first = true;
}

static void write_close(struct writer *w, char bracket)
{
    bool empty = w->first;
    w->depth--;
    w->first = true;
    if (!empty && w->pretty)
        write_break(w);
    buf_putc(&w->to, bracket);
    w->first = false;
}

static void write_private(struct writer *w, unsigned char byte)
{
    char utf8[4];
    buf_add(&w->to, utf8, str_utf8_encode(JSON_BYTE_FIRST + byte, utf8));
}

/* One character at `s`; returns its bytes. */
static size_t write_char(struct writer *w, const char *s, size_t left)
{
    uint32_t c;
    size_t length = str_utf8_decode(s, left, &c);
    if (length == 0) {
        write_private(w, (unsigned char)*s);
        return 1;
    }
    if (c >= JSON_BYTE_FIRST && c <= JSON_BYTE_LAST)
        for (size_t i = 0; i < length; i++)
            write_private(w, (unsigned char)s[i]);
    else
        buf_add(&w->to, s, length);
    return length;
}

static void write_text(struct writer *w, const char *s)
{
    buf_putc(&w->to, '"');
    for (size_t left = strlen(s); left;) {
        size_t plain = 0;
        while (plain < left && (unsigned char)s[plain] >= ' ' && (unsigned char)s[plain] < 0x7f &&
               s[plain] != '"' && s[plain] != '\\')
            plain++;
        buf_add(&w->to, s, plain);
        s += plain;
        left -= plain;
        if (!left)
            break;
        size_t length = 1;
        if (*s == '"' || *s == '\\')
            buf_printf(&w->to, "\\%c", *s);
        else if (*s == '\n')
            buf_puts(&w->to, "\\n");
        else if ((unsigned char)*s < ' ' || *s == 0x7f)
            buf_printf(&w->to, "\\u%04x", (unsigned char)*s);
        else
            length = write_char(w, s, left);
        s += length;
        left -= length;
    }
    buf_putc(&w->to, '"');
}

static void write_number(struct writer *w, uint64_t n)
{
    char digits[24];
    size_t at = sizeof(digits);
    do
        digits[--at] = (char)('0' + n % 10);
    while (n /= 10);
    buf_add(&w->to, digits + at, sizeof(digits) - at);
}

static void write_texts(struct writer *w, char *const *v)
{
    write_open(w, '[');
    for (size_t i = 0; v && v[i]; i++) {
        write_break(w);
        write_text(w, v[i]);
    }
    write_close(w, ']');
}

static void write_bits(struct writer *w, uint64_t bits, const char *const *names)
{
    write_open(w, '[');
    for (unsigned i = 0; names[i]; i++) {
        if (bits & (1ull << i)) {
            write_break(w);
            write_text(w, names[i]);
        }
    }
    write_close(w, ']');
}

static void write_ids(struct writer *w, const uint32_t *ids, size_t count)
{
    write_open(w, '[');
    for (size_t i = 0; i < count; i++) {
        write_break(w);
        write_number(w, ids[i]);
    }
    write_close(w, ']');
}

static void write_key(struct writer *w, const char *name)
{
    write_break(w);
    buf_putc(&w->to, '"');
    buf_puts(&w->to, name);
    buf_puts(&w->to, w->pretty ? "\": " : "\":");
}

static void write_origins(struct writer *w, char *const *origins)
{
    write_open(w, '{');
    for (enum key_id k = 0; k < KEY_COUNT; k++) {
        if (!origins[k])
            continue;
        char name[64];
        size_t length = strlen(keys[k].section);
        memcpy(name, keys[k].section, length);
        name[length] = '.';
        memcpy(name + length + 1, keys[k].name, strlen(keys[k].name) + 1);
        write_key(w, name);
        write_text(w, origins[k]);
    }
    write_close(w, '}');
}

static void write_rows(struct writer *w, const char *base, const struct field *rows);

static void write_list(struct writer *w, const char *base, const struct field *f)
{
    size_t count = *(const size_t *)(base + f->count);
    const char *items = f->most ? base + f->at : *(const char *const *)(base + f->at);
    write_open(w, '[');
    for (size_t i = 0; i < count; i++) {
        write_break(w);
        write_open(w, '{');
        bool pretty = w->pretty;
        w->pretty = false; /* a line an item */
        write_rows(w, items + i * f->size, f->rows);
        write_close(w, '}');
        w->pretty = pretty;
    }
    write_close(w, ']');
}

static bool field_says_nothing(const char *at, const struct field *f)
{
    if (f->type == FIELD_TEXT)
        return !*(char *const *)at;
    if (!f->brief)
        return false;
    if (f->type == FIELD_TEXTS)
        return !*(char **const *)at;
    if (f->type == FIELD_OBJECT)
        return field_says_nothing(at + f->rows->at, f->rows);
    if (f->type == FIELD_BOOL)
        return !*(const bool *)at;
    return f->type == FIELD_U64 ? *(const uint64_t *)at == 0 : *(const uint32_t *)at == 0;
}

static void write_field(struct writer *w, const char *base, const struct field *f)
{
    const char *at = base + f->at;
    switch (f->type) {
    case FIELD_TEXT:
    case FIELD_RLIMIT:
        write_text(w, *(char *const *)at);
        break;
    case FIELD_TEXTS:
        write_texts(w, *(char **const *)at);
        break;
    case FIELD_BOOL:
        buf_puts(&w->to, *(const bool *)at ? "true" : "false");
        break;
    case FIELD_UINT:
    case FIELD_INT:
        write_number(w, *(const uint32_t *)at);
        break;
    case FIELD_U64:
        if (*(const uint64_t *)at == UINT64_MAX)
            buf_puts(&w->to, "\"unlimited\"");
        else
            write_number(w, *(const uint64_t *)at);
        break;
    case FIELD_WORD:
        write_text(w, f->names[*(const uint32_t *)at]);
        break;
    case FIELD_BITS:
        write_bits(w, *(const uint32_t *)at, f->names);
        break;
    case FIELD_BITS64:
        write_bits(w, *(const uint64_t *)at, f->names);
        break;
    case FIELD_IDS:
        write_ids(w, *(uint32_t *const *)at, *(const size_t *)(base + f->count));
        break;
    case FIELD_OBJECT:
        write_open(w, '{');
        write_rows(w, at, f->rows);
        write_close(w, '}');
        break;
    case FIELD_LIST:
        write_list(w, base, f);
        break;
    case FIELD_ORIGINS:
        write_origins(w, (char *const *)at);
        break;
    }
}

static void write_rows(struct writer *w, const char *base, const struct field *rows)
{
    for (const struct field *f = rows; f->name; f++) {
        if (field_says_nothing(base + f->at, f))
            continue;
        write_key(w, f->name);
        write_field(w, base, f);
    }
}

char *plan_to_json(const struct plan *p, bool pretty)
{
    struct writer w = {.pretty = pretty};
    buf_reserve(&w.to, 16384);
    write_open(&w, '{');
    write_key(&w, "version");
    write_number(&w, PLAN_VERSION);
    write_rows(&w, (const char *)p, plan_fields);
    write_close(&w, '}');
    if (pretty)
        buf_putc(&w.to, '\n');
    return buf_take(&w.to);
}
