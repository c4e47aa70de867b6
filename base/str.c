#include "base/str.h"

#include <ctype.h>
#include <stdio.h>

char *str_dup(const char *s)
{
    return mem_copy(s, strlen(s) + 1);
}

char *str_dup_or_null(const char *s)
{
    return s ? str_dup(s) : NULL;
}

char *str_ndup(const char *s, size_t n)
{
    size_t length = strnlen(s, n);
    char *copy = mem_alloc(length + 1);
    memcpy(copy, s, length);
    copy[length] = '\0';
    return copy;
}

char *str_vformat(const char *fmt, va_list ap)
{
    va_list again;
    va_copy(again, ap);
    int length = vsnprintf(NULL, 0, fmt, again);
    va_end(again);
    char *s = mem_alloc((size_t)(length < 0 ? 0 : length) + 1);
    s[0] = '\0';
    if (length > 0)
        vsnprintf(s, (size_t)length + 1, fmt, ap);
    return s;
}

char *str_format(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    char *s = str_vformat(fmt, ap);
    va_end(ap);
    return s;
}

char *str_join_path(const char *a, const char *b)
{
    while (*b == '/')
        b++;
    size_t length = strlen(a);
    while (length > 0 && a[length - 1] == '/')
        length--;
    return str_format("%.*s/%s", (int)length, a, b);
}

bool str_starts(const char *s, const char *prefix)
{
    return strncmp(s, prefix, strlen(prefix)) == 0;
}

bool str_ends(const char *s, const char *suffix)
{
    size_t length = strlen(s), tail = strlen(suffix);
    return length >= tail && strcmp(s + length - tail, suffix) == 0;
}

char *str_last_line(char *s)
{
    s = str_trim(s);
    char *end = strrchr(s, '\n');
    return end ? str_trim(end) : s;
}

char *str_reason(char *s)
{
    static const char *const crashed[] = {"runtime/cgo: ", "runtime: ", "fatal error: ", "panic: "};
    for (char *line = s; *line; line += strcspn(line, "\n"), line += *line == '\n')
        for (size_t i = 0; i < ARRAY_SIZE(crashed); i++)
            if (str_starts(line, crashed[i])) {
                line[strcspn(line, "\n")] = '\0';
                return str_trim(line);
            }
    return str_last_line(s);
}

void str_unescape_octal(char *s)
{
    char *to = s;
    for (; *s; s++) {
        if (s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && s[2] && s[3]) {
            *to++ = (char)((s[1] - '0') * 64 + (s[2] - '0') * 8 + (s[3] - '0'));
            s += 3;
        } else {
            *to++ = *s;
        }
    }
    *to = '\0';
}

char *str_trim(char *s)
{
    while (isspace((unsigned char)*s))
        s++;
    char *end = s + strlen(s);
    while (end > s && isspace((unsigned char)end[-1]))
        end--;
    *end = '\0';
    return s;
}

void buf_done(struct buf *b)
{
    free(b->data);
    *b = (struct buf){0};
}

void buf_reserve(struct buf *b, size_t more)
{
    size_t want = b->used + more + 1;
    if (want <= b->room)
        return;
    size_t room = b->room ? b->room : 64;
    while (room < want)
        room *= 2;
    b->data = mem_grow(b->data, room, 1);
    b->room = room;
}

void buf_add(struct buf *b, const void *data, size_t size)
{
    buf_reserve(b, size);
    if (size)
        memcpy(b->data + b->used, data, size);
    b->used += size;
    b->data[b->used] = '\0';
}

void buf_puts(struct buf *b, const char *s)
{
    buf_add(b, s, strlen(s));
}

void buf_putc(struct buf *b, char c)
{
    buf_add(b, &c, 1);
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    int length = vsnprintf(NULL, 0, fmt, again);
    va_end(again);
    if (length >= 0) {
        buf_reserve(b, (size_t)length);
        vsnprintf(b->data + b->used, (size_t)length + 1, fmt, ap);
        b->used += (size_t)length;
    }
    va_end(ap);
}

void buf_drop(struct buf *b, size_t front)
{
    if (front >= b->used) {
        b->used = 0;
    } else if (front) {
        memmove(b->data, b->data + front, b->used - front);
        b->used -= front;
    }
    if (b->data)
        b->data[b->used] = '\0';
}

char *buf_take(struct buf *b)
{
    char *s = b->data ? b->data : str_dup("");
    *b = (struct buf){0};
    return s;
}

size_t strv_length(char *const *v)
{
    size_t n = 0;
    while (v && v[n])
        n++;
    return n;
}

void strv_free(char **v)
{
    for (size_t i = 0; v && v[i]; i++)
        free(v[i]);
    free(v);
}

void strv_take(char ***v, char *s)
{
    size_t n = strv_length(*v);
    *v = mem_grow(*v, n + 2, sizeof(char *));
    (*v)[n] = s;
    (*v)[n + 1] = NULL;
}

void strv_add(char ***v, const char *s)
{
    strv_take(v, str_dup(s));
}

char **strv_copy(char *const *v)
{
    size_t n = strv_length(v);
    char **copy = mem_zero(n + 1, sizeof(char *));
    for (size_t i = 0; i < n; i++)
        copy[i] = str_dup(v[i]);
    return copy;
}

bool strv_has(char *const *v, const char *s)
{
    for (size_t i = 0; v && v[i]; i++)
        if (strcmp(v[i], s) == 0)
            return true;
    return false;
}

ssize_t strv_find_name(char *const *v, const char *variable)
{
    size_t length = strcspn(variable, "=");
    for (size_t i = 0; v && v[i]; i++)
        if (strncmp(v[i], variable, length) == 0 && v[i][length] == '=')
            return (ssize_t)i;
    return -1;
}

void strv_put(char ***v, const char *variable)
{
    ssize_t i = strv_find_name(*v, variable);
    if (i < 0) {
        strv_add(v, variable);
        return;
    }
    free((*v)[i]);
    (*v)[i] = str_dup(variable);
}

char **strv_split(const char *s, const char *separators)
{
    char **v = mem_zero(1, sizeof(char *));
    while (*s) {
        size_t length = strcspn(s, separators);
        if (length)
            strv_take(&v, str_ndup(s, length));
        s += length;
        s += strspn(s, separators);
    }
    return v;
}

char *strv_join(char *const *v, const char *separator)
{
    struct buf b = {0};
    for (size_t i = 0; v && v[i]; i++) {
        if (i)
            buf_puts(&b, separator);
        buf_puts(&b, v[i]);
    }
    return buf_take(&b);
}
