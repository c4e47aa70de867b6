/* Numbers with units, to and from text. */
#include "base/str.h"

#include <ctype.h>
#include <stdio.h>
#include <strings.h>

int str_to_uint(const char *s, uint64_t *ret)
{
    if (!isdigit((unsigned char)*s))
        return -EINVAL;
    char *end;
    errno = 0;
    unsigned long long n = strtoull(s, &end, 10);
    if (errno)
        return -errno;
    if (*end)
        return -EINVAL;
    *ret = n;
    return 0;
}

/* Digits with an optional fraction; `*end` is left behind them. No locale is asked. */
static int units_number(const char *s, const char **end, double *ret)
{
    if (!isdigit((unsigned char)*s))
        return -EINVAL;
    double n = 0;
    while (isdigit((unsigned char)*s))
        n = n * 10 + (*s++ - '0');
    if (*s == '.') {
        s++;
        if (!isdigit((unsigned char)*s))
            return -EINVAL;
        double part = 0, whole = 1; /* divided once: 0.1 added up is no tenth */
        for (; isdigit((unsigned char)*s); s++) {
            if (whole < 1e15) {
                part = part * 10 + (*s - '0');
                whole *= 10;
            }
        }
        n += part / whole;
    }
    *end = s;
    *ret = n;
    return 0;
}

int str_to_decimal(const char *s, double *ret)
{
    const char *end;
    double n;
    int r = units_number(s, &end, &n);
    if (r < 0)
        return r;
    if (*end)
        return -EINVAL;
    if (n >= 9.2e18)
        return -ERANGE;
    *ret = n;
    return 0;
}

int str_to_size(const char *s, uint64_t *ret)
{
    const char *end;
    double n;
    int r = units_number(s, &end, &n);
    if (r < 0)
        return r;
    static const char prefixes[] = "KMGT";
    const char *prefix = *end ? strchr(prefixes, toupper((unsigned char)*end)) : NULL;
    if (prefix) {
        n *= (double)(1ull << (10 * (prefix - prefixes + 1)));
        end++;
        if (strcasecmp(end, "iB") == 0 || strcasecmp(end, "B") == 0)
            end += strlen(end);
    } else if (strcasecmp(end, "B") == 0) {
        end++;
    }
    if (*end)
        return -EINVAL;
    if (n >= 9.2e18)
        return -ERANGE;
    *ret = (uint64_t)n;
    return 0;
}

int str_to_duration(const char *s, uint64_t *ret_ms)
{
    static const struct {
        const char *name;
        double ms;
    } units[] = {
        {"ms", 1      },
        {"s",  1e3    },
        {"m",  60e3   },
        {"h",  3600e3 },
        {"d",  86400e3}
    };
    double total = 0;
    if (!*s)
        return -EINVAL;
    while (*s) {
        double n;
        int r = units_number(s, &s, &n);
        if (r < 0)
            return r;
        if (!*s) {
            total += n * 1e3;
            break;
        }
        size_t i;
        for (i = 0; i < ARRAY_SIZE(units); i++) {
            size_t length = strlen(units[i].name);
            if (strncmp(s, units[i].name, length) == 0 && !isalpha((unsigned char)s[length])) {
                total += n * units[i].ms;
                s += length;
                break;
            }
        }
        if (i == ARRAY_SIZE(units))
            return -EINVAL;
    }
    if (total >= 9.2e18)
        return -ERANGE;
    *ret_ms = (uint64_t)(total + 0.5);
    return 0;
}

int str_to_bool(const char *s, bool *ret)
{
    static const char *const yes[] = {"yes", "true", "on", "1"};
    static const char *const no[] = {"no", "false", "off", "0"};
    for (size_t i = 0; i < ARRAY_SIZE(yes); i++) {
        if (strcasecmp(s, yes[i]) == 0 || strcasecmp(s, no[i]) == 0) {
            *ret = strcasecmp(s, yes[i]) == 0;
            return 0;
        }
    }
    return -EINVAL;
}

char *str_from_size(uint64_t bytes, char *to, size_t room)
{
    static const char *const names[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
    double n = (double)bytes;
    size_t i = 0;
    while (n >= 1024 && i + 1 < ARRAY_SIZE(names)) {
        n /= 1024;
        i++;
    }
    snprintf(to, room, i == 0 || n >= 100 ? "%.0f %s" : "%.1f %s", n, names[i]);
    return to;
}

char *str_from_duration(uint64_t ms, char *to, size_t room)
{
    uint64_t s = ms / 1000;
    if (ms < 1000)
        snprintf(to, room, "%ums", (unsigned)ms);
    else if (s < 10)
        snprintf(to, room, "%u.%us", (unsigned)s, (unsigned)(ms % 1000 / 100));
    else if (s < 60)
        snprintf(to, room, "%us", (unsigned)s);
    else if (s < 3600)
        snprintf(to, room, "%um%02us", (unsigned)(s / 60), (unsigned)(s % 60));
    else if (s < 86400)
        snprintf(to, room, "%uh%02um", (unsigned)(s / 3600), (unsigned)(s / 60 % 60));
    else
        snprintf(to, room, "%llud%uh", (unsigned long long)(s / 86400), (unsigned)(s / 3600 % 24));
    return to;
}
