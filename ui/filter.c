#include "ui/filter.h"

#include <strings.h>

void ui_filter_done(struct ui_filter *f)
{
    for (size_t i = 0; i < f->count; i++) {
        free(f->terms[i].where);
        free(f->terms[i].text);
        if (f->terms[i].expression)
            regfree(&f->terms[i].re);
    }
    *f = (struct ui_filter){0};
}

static char *filter_where(const char **text)
{
    static const char *const places[] = {
        "state:", "profile:", "boundary:", "name:", "label:", "command:"};
    for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
        if (!str_starts(*text, places[i]))
            continue;
        *text += strlen(places[i]);
        return str_ndup(places[i], strlen(places[i]) - 1);
    }
    return NULL;
}

static void filter_term(struct ui_filter *f, const char *text)
{
    struct ui_filter_term t = {0};
    if (*text == '!') {
        t.inverse = true;
        text++;
    }
    t.where = filter_where(&text);
    if (*text == '~') {
        t.expression = true;
        text++;
    }
    if (!*text || (t.expression && regcomp(&t.re, text, REG_EXTENDED | REG_ICASE | REG_NOSUB))) {
        f->broken |= t.expression && *text;
        free(t.where);
        return;
    }
    t.text = str_dup(text);
    f->terms[f->count++] = t;
}

void ui_filter_read(struct ui_filter *f, const char *text)
{
    *f = (struct ui_filter){0};
    autostrv char **words = strv_split(text, " ");
    for (size_t i = 0; words && words[i] && f->count < UI_FILTER_TERMS; i++)
        filter_term(f, words[i]);
}

static bool term_matches(const struct ui_filter_term *t, const char *text)
{
    if (!text)
        return false;
    return t->expression ? regexec(&t->re, text, 0, NULL, 0) == 0
                         : strcasestr(text, t->text) != NULL;
}

static bool term_passes(const struct ui_filter_term *t, const struct ui_row *r)
{
    char state[16];
    const struct {
        const char *where, *text;
    } places[] = {
        {"name",          r->name       },
        {"state",         ui_row_state(r, state, sizeof(state))},
        {"profile", r->profile              },
        {"boundary",     r->boundary    },
        {"command",r->command         },
    };
    for (size_t i = 0; i < ARRAY_SIZE(places); i++)
        if ((!t->where || str_equal(t->where, places[i].where)) && term_matches(t, places[i].text))
            return true;
    if (t->where && !str_equal(t->where, "label"))
        return false;
    for (size_t i = 0; r->labels && r->labels[i]; i++)
        if (term_matches(t, r->labels[i]))
            return true;
    return false;
}

bool ui_filter_passes(const struct ui_filter *f, const struct ui_row *r)
{
    for (size_t i = 0; i < f->count; i++)
        if (term_passes(&f->terms[i], r) == f->terms[i].inverse)
            return false;
    return true;
}
