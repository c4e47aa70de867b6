/* Profiles as bytes: whatever stands in the file, it is taken whole or refused with its line. */
#include "profiles/entries.h"

#include "tests/fuzz/fuzz.h"

#include <stdio.h>

static void require(bool good, const char *what)
{
    if (!good) {
        fprintf(stderr, "broken: %s\n", what);
        abort();
    }
}

/* Text for a person: one line that cannot steer a terminal. */
static void require_shown(const struct error *e)
{
    require(e->code > 0 && e->text[0], "an error without a text");
    require(str_starts(e->text, "fuzz.ini:"), "an error that does not say where");
    for (const char *p = e->text; *p; p++)
        require((unsigned char)*p >= ' ' && *p != 0x7f, "a control character in an error");
}

static void require_sound(const struct settings *s)
{
    for (enum key_id key = 0; key < KEY_COUNT; key++) {
        const struct setting *g = &s->of[key];
        size_t items = strv_length(g->items), origins = strv_length(g->origins);
        require(!items || origins == items, "values without origins");
        require(items <= SETTINGS_ITEMS_MAX, "too many items");
        for (size_t i = 0; i < items; i++) {
            struct error e = {0};
            require(strlen(g->items[i]) <= SETTINGS_VALUE_MAX, "a value too long");
            require(key_check(key, g->items[i], &e) == 0, "a value nobody checked");
        }
        settings_number(s, key);
        settings_decimal(s, key);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    unsigned files = size && (data[size - 1] & 1) ? KEY_IN_WORKLOAD : KEY_IN_PROFILE;
    struct entries n;
    struct settings s;
    struct error e = {0};
    if (entries_parse((const char *)data, size, "fuzz.ini", "fuzz.ini", files, &n, &e) < 0) {
        require_shown(&e);
        return 0;
    }
    settings_init(&s);
    if (entries_apply(&n, &s, &e) < 0)
        require_shown(&e);
    require_sound(&s);
    settings_done(&s);
    entries_done(&n);
    return 0;
}
