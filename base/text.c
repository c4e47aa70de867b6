/* Text from strangers: UTF-8, escaping, the nearest name. */
#include "base/str.h"

size_t str_utf8_decode(const char *s, size_t size, uint32_t *ret)
{
    const unsigned char *p = (const unsigned char *)s;
    if (!size)
        return 0;
    if (p[0] < 0x80) {
        *ret = p[0];
        return 1;
    }
    size_t length = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    if (p[0] < 0xc2 || p[0] > 0xf4 || size < length)
        return 0;
    uint32_t c = p[0] & (0x7fu >> length);
    for (size_t i = 1; i < length; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
        c = c << 6 | (p[i] & 0x3f);
    }
    if (c < least[length] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
        return 0;
    *ret = c;
    return length;
}

size_t str_utf8_encode(uint32_t c, char to[4])
{
    if (c < 0x80) {
        to[0] = (char)c;
        return 1;
    }
    if (c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
        return 0;
    size_t length = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const unsigned char lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = length - 1; i > 0; i--, c >>= 6)
        to[i] = (char)(0x80 | (c & 0x3f));
    to[0] = (char)(lead[length] | c);
    return length;
}

/* Characters that move, hide or reorder text instead of being seen. */
static bool text_is_unsafe(uint32_t c)
{
    static const struct {
        uint32_t first, last;
    } unsafe[] = {
        {0x0,     0x1f   },
        {0x7f,    0x9f   },
        {0xad,    0xad   },
        {0x34f,   0x34f  },
        {0x61c,   0x61c  },
        {0x115f,  0x1160 },
        {0x17b4,  0x17b5 },
        {0x180b,  0x180f },
        {0x200b,  0x200f },
        {0x2028,  0x202e },
        {0x2060,  0x206f },
        {0x3164,  0x3164 },
        {0xfe00,  0xfe0f },
        {0xfeff,  0xfeff },
        {0xffa0,  0xffa0 },
        {0xfff0,  0xfffb },
        {0xfffe,  0xffff },
        {0x1bca0, 0x1bca3},
        {0x1d173, 0x1d17a},
        {0xe0000, 0xe0fff},
    };
    for (size_t i = 0; i < ARRAY_SIZE(unsafe) && c >= unsafe[i].first; i++)
        if (c <= unsafe[i].last)
            return true;
    return false;
}

char *str_escape(const char *s, size_t size)
{
    struct buf b = {0};
    for (size_t i = 0; i < size;) {
        uint32_t c = 0;
        size_t length = str_utf8_decode(s + i, size - i, &c);
        if (!length)
            buf_printf(&b, "\\x%02x", (unsigned char)s[i++]);
        else if (length == 1 && text_is_unsafe(c))
            buf_printf(&b, "\\x%02x", (unsigned)c);
        else if (text_is_unsafe(c))
            buf_printf(&b, "\\u{%x}", (unsigned)c);
        else
            buf_add(&b, s + i, length);
        i += length;
    }
    return buf_take(&b);
}

char *str_escape_z(const char *s)
{
    return str_escape(s, strlen(s));
}

/* Edits between two words, two letters that changed places being one; beyond 63 characters far. */
static size_t text_distance(const char *a, const char *b)
{
    enum { MOST = 64 };
    size_t n = strlen(a), m = strlen(b);
    if (n >= MOST || m >= MOST)
        return MOST;
    size_t rows[3][MOST]; /* the last three of the table */
    for (size_t j = 0; j <= m; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= n; i++) {
        size_t *row = rows[i % 3], *above = rows[(i + 2) % 3], *before = rows[(i + 1) % 3];
        row[0] = i;
        for (size_t j = 1; j <= m; j++) {
            size_t change = above[j - 1] + (a[i - 1] != b[j - 1]);
            row[j] = MIN(change, MIN(above[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = MIN(row[j], before[j - 2] + 1);
        }
    }
    return rows[n % 3][m];
}

const char *str_nearest(const char *wrong, const char *const *names, size_t count)
{
    const char *best = NULL;
    size_t least = SIZE_MAX;
    for (size_t i = 0; i < count; i++) {
        size_t distance = text_distance(wrong, names[i]);
        if (distance < least && distance <= MAX(strlen(wrong), strlen(names[i])) / 3) {
            least = distance;
            best = names[i];
        }
    }
    return best;
}
