#include "app/plan/json_scan.h"

#include "app/plan/json_bytes.h"
#include "base/str.h"

static void scan_blank(struct scan *s)
{
    while (s->at < s->end && (*s->at == ' ' || *s->at == '\n' || *s->at == '\t' || *s->at == '\r'))
        s->at++;
}

bool scan_take(struct scan *s, char c)
{
    scan_blank(s);
    if (s->at == s->end || *s->at != c)
        return false;
    s->at++;
    return true;
}

int scan_next(struct scan *s, char open, char close, bool *first)
{
    if (*first) {
        *first = false;
        if (!scan_take(s, open))
            return -EINVAL;
        return scan_take(s, close) ? 0 : 1;
    }
    if (scan_take(s, close))
        return 0;
    return scan_take(s, ',') ? 1 : -EINVAL;
}

int scan_word(struct scan *s, char *to, size_t room)
{
    if (!scan_take(s, '"'))
        return -EINVAL;
    const char *from = s->at;
    while (s->at < s->end && *s->at >= ' ' && *s->at != '"' && *s->at != '\\')
        s->at++;
    size_t length = (size_t)(s->at - from);
    if (s->at == s->end || *s->at != '"' || length >= room)
        return -EINVAL;
    s->at++;
    memcpy(to, from, length);
    to[length] = '\0';
    return 0;
}

int scan_name(struct scan *s, char *to, size_t room)
{
    return scan_word(s, to, room) == 0 && scan_take(s, ':') ? 0 : -EINVAL;
}

static int scan_hex(struct scan *s, uint32_t *ret)
{
    if (s->end - s->at < 4)
        return -EINVAL;
    uint32_t n = 0;
    for (int i = 0; i < 4; i++, s->at++) {
        char c = *s->at;
        if (c >= '0' && c <= '9')
            n = n * 16 + (uint32_t)(c - '0');
        else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
            n = n * 16 + (uint32_t)((c | 0x20) - 'a') + 10;
        else
            return -EINVAL;
    }
    *ret = n;
    return 0;
}

/* What stands behind "\u", a pair of surrogates included. */
static int scan_unicode(struct scan *s, struct buf *to)
{
    uint32_t c, low;
    if (scan_hex(s, &c) < 0)
        return -EINVAL;
    if (c >= 0xd800 && c < 0xdc00) {
        if (s->end - s->at < 2 || s->at[0] != '\\' || s->at[1] != 'u')
            return -EINVAL;
        s->at += 2;
        if (scan_hex(s, &low) < 0 || low < 0xdc00 || low > 0xdfff)
            return -EINVAL;
        c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
    }
    char utf8[4];
    size_t length = c ? str_utf8_encode(c, utf8) : 0;
    if (!length)
        return -EINVAL;
    if (c >= JSON_BYTE_FIRST && c <= JSON_BYTE_LAST)
        buf_putc(to, (char)(c - JSON_BYTE_FIRST));
    else
        buf_add(to, utf8, length);
    return 0;
}

static int scan_escape(struct scan *s, struct buf *to)
{
    static const char letters[] = "\"\\/bfnrt", bytes[] = "\"\\/\b\f\n\r\t";
    if (s->at == s->end)
        return -EINVAL;
    char c = *s->at++;
    if (c == 'u')
        return scan_unicode(s, to);
    const char *known = c ? strchr(letters, c) : NULL;
    if (!known)
        return -EINVAL;
    buf_putc(to, bytes[known - letters]);
    return 0;
}

/* One character beyond ASCII. */
static int scan_wide(struct scan *s, struct buf *to)
{
    uint32_t c;
    size_t length = str_utf8_decode(s->at, (size_t)(s->end - s->at), &c);
    if (!length)
        return -EINVAL;
    if (c >= JSON_BYTE_FIRST && c <= JSON_BYTE_LAST) {
        if (c == JSON_BYTE_FIRST)
            return -EINVAL;
        buf_putc(to, (char)(c - JSON_BYTE_FIRST));
    } else {
        buf_add(to, s->at, length);
    }
    s->at += length;
    return 0;
}

int scan_text(struct scan *s, char **ret)
{
    if (!scan_take(s, '"'))
        return -EINVAL;
    autobuf text = {0};
    for (;;) {
        const char *from = s->at;
        while (s->at < s->end && *s->at >= ' ' && *s->at != '"' && *s->at != '\\')
            s->at++;
        if (s->at == s->end)
            return -EINVAL;
        if (*s->at == '"' && !text.used) {
            *ret = mem_alloc((size_t)(s->at - from) + 1); /* the usual: nothing to undo */
            memcpy(*ret, from, (size_t)(s->at - from));
            (*ret)[s->at++ - from] = '\0';
            return 0;
        }
        buf_add(&text, from, (size_t)(s->at - from));
        int r;
        if (*s->at == '"') {
            s->at++;
            *ret = buf_take(&text);
            return 0;
        }
        if (*s->at == '\\') {
            s->at++;
            r = scan_escape(s, &text);
        } else {
            r = (unsigned char)*s->at < 0x80 ? -EINVAL : scan_wide(s, &text);
        }
        if (r < 0)
            return r;
    }
}

int scan_number(struct scan *s, uint64_t most, uint64_t *ret)
{
    scan_blank(s);
    const char *from = s->at;
    uint64_t n = 0;
    for (; s->at < s->end && *s->at >= '0' && *s->at <= '9'; s->at++)
        if (__builtin_mul_overflow(n, 10u, &n) ||
            __builtin_add_overflow(n, (uint64_t)(*s->at - '0'), &n))
            return -EINVAL;
    bool zero_first = s->at - from > 1 && *from == '0';
    if (s->at == from || zero_first || n > most)
        return -EINVAL;
    if (s->at < s->end && (*s->at == '.' || *s->at == 'e' || *s->at == 'E'))
        return -EINVAL;
    *ret = n;
    return 0;
}

int scan_bool(struct scan *s, bool *ret)
{
    static const char *const words[] = {"false", "true"};
    scan_blank(s);
    for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
        size_t length = strlen(words[i]);
        if ((size_t)(s->end - s->at) < length || memcmp(s->at, words[i], length) != 0)
            continue;
        s->at += length;
        *ret = i;
        return 0;
    }
    return -EINVAL;
}

bool scan_done(struct scan *s)
{
    scan_blank(s);
    return s->at == s->end;
}
