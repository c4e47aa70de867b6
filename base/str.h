/* Strings: growing buffers, string vectors, numbers with units, text made safe to show. */
#ifndef COFFERDAM_BASE_STR_H
#define COFFERDAM_BASE_STR_H

#include "base/error.h"
#include "base/mem.h"

#include <stdarg.h>
#include <string.h>

/* All of these return heap strings the caller owns and never NULL (mem.h), unless said. */
char *str_dup(const char *s) __attribute__((returns_nonnull));
char *str_dup_or_null(const char *s); /* NULL for NULL */
char *str_ndup(const char *s, size_t n) __attribute__((returns_nonnull));
char *str_format(const char *fmt, ...) __attribute__((format(printf, 1, 2), returns_nonnull));
char *str_vformat(const char *fmt, va_list ap)
    __attribute__((format(printf, 1, 0), returns_nonnull));
char *str_join_path(const char *a, const char *b) __attribute__((returns_nonnull)); /* one '/' */

static inline bool str_equal(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}
static inline bool str_empty(const char *s)
{
    return !s || !*s;
}
bool str_starts(const char *s, const char *prefix);
bool str_ends(const char *s, const char *suffix);
char *str_trim(char *s);          /* in place; returns the first non-blank */
char *str_last_line(char *s);     /* in place, trimmed: what a program said at the end */
/* In place, trimmed: why a program says it has failed. Of a crashed Go program the line before its
 * stacks and registers, else the last. */
char *str_reason(char *s);
void str_unescape_octal(char *s); /* in place; paths in the tables of proc(5): \040 is a blank */

/* A growing byte buffer; zero-initialised is empty; data is NUL-terminated whenever non-NULL. */
struct buf {
    char *data;  /* owned */
    size_t used; /* bytes, without the NUL */
    size_t room; /* bytes allocated */
};
void buf_done(struct buf *b);
void buf_add(struct buf *b, const void *data, size_t size);
void buf_puts(struct buf *b, const char *s);
void buf_putc(struct buf *b, char c);
void buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void buf_reserve(struct buf *b, size_t more); /* room for `more` bytes behind `used` */
void buf_drop(struct buf *b, size_t front);   /* removes bytes at the front */
char *buf_take(struct buf *b);                /* the string, owned by the caller; "" if empty */
#define autobuf __attribute__((cleanup(buf_done))) struct buf

/* NULL-terminated string vectors. `strv_free(NULL)` is fine; NULL is an empty vector. */
size_t strv_length(char *const *v);
void strv_free(char **v);
char **strv_copy(char *const *v);
void strv_add(char ***v, const char *s); /* appends a copy */
void strv_take(char ***v, char *s);      /* appends `s` itself */
bool strv_has(char *const *v, const char *s);
/* For vectors of "NAME=VALUE": where `variable`'s NAME (up to its "=" or end) stands, or -1. */
ssize_t strv_find_name(char *const *v, const char *variable);
void strv_put(char ***v, const char *variable); /* in its NAME's place, or appended */
char **strv_split(const char *s, const char *separators); /* empty parts dropped */
char *strv_join(char *const *v, const char *separator);
static inline void strv_cleanup(char ***v)
{
    strv_free(*v);
}
#define autostrv __attribute__((cleanup(strv_cleanup)))

/*
 * Parsers: 0 or -EINVAL/-ERANGE, `*ret` written only on success, the whole string must fit.
 * size: bytes, with K M G T (or KiB…) as powers of 1024. duration: seconds as a default unit, with
 * ms s m h d, sums as "1h30m", result in milliseconds. bool: yes no true false on off 1 0.
 */
int str_to_uint(const char *s, uint64_t *ret);
int str_to_size(const char *s, uint64_t *ret);
int str_to_duration(const char *s, uint64_t *ret_ms);
int str_to_bool(const char *s, bool *ret);
int str_to_decimal(const char *s, double *ret); /* "1.5", never with a locale's comma */

/* For people: "1.5 MiB" / "512 B"; "3d4h", "12m", "5.2s". `to` of at least 32 bytes; returned. */
char *str_from_size(uint64_t bytes, char *to, size_t room);
char *str_from_duration(uint64_t ms, char *to, size_t room);

/*
 * Text from a stranger (file names, image metadata, a workload's words) made safe to show: control
 * characters, DEL, C1, bidirectional and zero-width characters and broken UTF-8 become \xNN or
 * \u{N}. The result is printable UTF-8 with no newline.
 */
char *str_escape(const char *s, size_t size) __attribute__((returns_nonnull));
char *str_escape_z(const char *s) __attribute__((returns_nonnull)); /* NUL-terminated input */

/*
 * Decodes one UTF-8 character of at most `size` bytes: returns its length and sets `*ret`, or 0 if
 * it is broken (or cut off).
 */
size_t str_utf8_decode(const char *s, size_t size, uint32_t *ret);
size_t str_utf8_encode(uint32_t c, char to[4]); /* bytes written; 0 if `c` is no scalar value */

/*
 * The entry of `names` nearest to `wrong`, or NULL if none is near enough to be meant: a letter too
 * many, missing, wrong or in its neighbour's place for every three of the longer word.
 */
const char *str_nearest(const char *wrong, const char *const *names, size_t count);

#endif
