#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int error_set(struct error *e, int code, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(e->text, sizeof(e->text), fmt, ap);
    va_end(ap);
    e->code = code;
    return -code;
}

int error_errno(struct error *e, int code, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(e->text, sizeof(e->text), fmt, ap);
    va_end(ap);
    size_t used = strlen(e->text);
    snprintf(e->text + used, sizeof(e->text) - used, ": %s", strerror(code));
    e->code = code;
    return -code;
}

int error_take(struct error *e, const struct error *said)
{
    *e = *said;
    e->text[sizeof(e->text) - 1] = '\0';
    if (e->code <= 0 || e->code > 4095)
        e->code = EPROTO;
    return -e->code;
}

int error_wrap(struct error *e, const char *fmt, ...)
{
    char who[sizeof(e->text)];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(who, sizeof(who), fmt, ap);
    va_end(ap);

    char text[sizeof(e->text)];
    size_t length = strnlen(who, sizeof(text) - 3);
    memcpy(text, who, length);
    size_t room = sizeof(text) - length - 3;
    snprintf(text + length, sizeof(text) - length, ": %.*s", (int)room, e->text);
    memcpy(e->text, text, sizeof(text));
    return -e->code;
}
