/* OSC, DCS, APC and the like: titles are kept as text, the rest is counted; none reaches a
 * terminal. */
#include "console/screen_inner.h"
#include "console/width.h"

#include "base/str.h"

static void set_title(struct screen *s, const char *text, size_t size)
{
    size_t used = 0;
    s->counts.titles++;
    for (size_t i = 0; i < size;) {
        uint32_t c;
        size_t length = str_utf8_decode(text + i, size - i, &c);
        if (length && width_of(c) >= 0) {
            if (used + length >= sizeof(s->title))
                break;
            memcpy(s->title + used, text + i, length);
            used += length;
        }
        i += length ? length : 1;
    }
    s->title[used] = '\0';
}

static void osc(struct screen *s)
{
    const struct tokens *t = &s->tokens;
    unsigned number = 0;
    size_t i = 0;
    for (; i < t->length && t->text[i] >= '0' && t->text[i] <= '9' && number < 10000; i++)
        number = number * 10 + (unsigned)(t->text[i] - '0');
    const char *rest = i < t->length && t->text[i] == ';' ? t->text + i + 1 : t->text + t->length;
    size_t size = (size_t)(t->text + t->length - rest);
    if (i && (number == 0 || number == 2))
        set_title(s, rest, size);
    else if (i && number == 1)
        s->counts.titles++;
    else if (number == 52)
        s->counts.clipboard++;
    else if (number == 1337)
        s->counts.images++;
    else if (size && rest[size - 1] == '?')
        s->counts.queries++;
    else
        s->counts.unknown++;
}

static void dcs(struct screen *s)
{
    const struct tokens *t = &s->tokens;
    size_t i = 0;
    while (i < t->length && ((t->text[i] >= '0' && t->text[i] <= '9') || t->text[i] == ';'))
        i++;
    if (i < t->length && t->text[i] == 'q')
        s->counts.images++;
    else if (i + 1 < t->length && t->text[i + 1] == 'q')
        s->counts.queries++; /* DECRQSS, XTGETTCAP */
    else
        s->counts.unknown++;
}

void screen_string(struct screen *s)
{
    s->joinable = false;
    switch (s->tokens.final) {
    case ']':
        osc(s);
        break;
    case 'P':
        dcs(s);
        break;
    case '_':
        if (s->tokens.length && s->tokens.text[0] == 'G')
            s->counts.images++;
        else
            s->counts.unknown++;
        break;
    case 'k':
        set_title(s, s->tokens.text, s->tokens.length);
        break;
    default:
        s->counts.unknown++;
        break;
    }
}
