/* Which keys are for us: the detach chord, and what stands behind its first key. */
#include "console/attach.h"

#include <ctype.h>

/* One key's name, "ctrl-x", "^X" or a printable character, as the byte a terminal sends. */
static int key_parse(const char *word, char *ret)
{
    const char *rest = str_starts(word, "ctrl-") || str_starts(word, "Ctrl-") ? word + 5 : NULL;
    if (!rest && word[0] == '^' && word[1])
        rest = word + 1;
    if (!rest) {
        if (word[0] <= ' ' || word[0] > '~' || word[1])
            return -EINVAL;
        *ret = word[0];
        return 0;
    }
    char c = (char)toupper((unsigned char)rest[0]);
    if (c < '@' || c > '_' || rest[1])
        return -EINVAL;
    *ret = (char)(c & 0x1f);
    return 0;
}

int attach_chord_parse(const char *text, struct attach_chord *ret, struct error *e)
{
    struct attach_chord chord = {.more = true};
    if (str_empty(text) || str_equal(text, "default"))
        text = "ctrl-] d";
    else if (str_equal(text, "docker"))
        text = "ctrl-p ctrl-q";
    else if (str_equal(text, "tmux"))
        text = "ctrl-b d";
    /* Behind docker's ctrl-p every other key belongs to the shell. */
    chord.more = !str_starts(text, "ctrl-p ");
    autostrv char **words = strv_split(text, " ,");
    size_t count = strv_length(words);
    if (count < 1 || count > 2 || key_parse(words[0], &chord.first) < 0 ||
        (count == 2 && key_parse(words[1], &chord.second) < 0))
        return error_set(e, EINVAL,
                         "\"%s\" is no detach chord: one or two keys as \"ctrl-] d\", or the "
                         "presets docker and tmux",
                         text);
    if (chord.first >= ' ')
        return error_set(e, EINVAL, "the first key of a detach chord must be one with ctrl");
    if (chord.second == chord.first)
        return error_set(e, EINVAL, "the two keys of a detach chord must differ");
    *ret = chord;
    return 0;
}

static char *key_name(char key)
{
    if ((unsigned char)key < ' ')
        return str_format("ctrl-%c", tolower(key + '@'));
    return str_format("%c", key);
}

char *attach_chord_name(const struct attach_chord *c)
{
    autofree char *first = key_name(c->first);
    autofree char *second = key_name(c->second);
    return c->second ? str_format("%s %s", first, second) : str_dup(first);
}

/* A terminal marks what was pasted with CSI 200~ and CSI 201~. */
static void keys_watch_paste(struct attach_keys *k, char c)
{
    static const char mark[] = "\x1b[20";
    if (k->mark < 4) {
        k->mark = c == mark[k->mark] ? k->mark + 1 : c == mark[0];
    } else if (k->mark == 4) {
        k->mark = c == '0' ? 5 : c == '1' ? 6 : 0;
    } else {
        if (c == '~')
            k->pasting = k->mark == 5;
        k->mark = 0;
    }
}

/* What the key behind the first one means; SEND if it is the workload's. */
static enum attach_key keys_second(struct attach_keys *k, char c, struct buf *to)
{
    k->pressed = false;
    if (c == k->chord.second)
        return ATTACH_KEY_DETACH;
    if (k->chord.more && c == 't')
        return ATTACH_KEY_TAKE_OVER;
    if (k->chord.more && c == '?')
        return ATTACH_KEY_HELP;
    buf_putc(to, k->chord.first);
    if (c != k->chord.first)
        buf_putc(to, c);
    return ATTACH_KEY_SEND;
}

size_t attach_keys_feed(struct attach_keys *k, const char *data, size_t size, struct buf *to,
                        enum attach_key *ret)
{
    *ret = ATTACH_KEY_SEND;
    for (size_t i = 0; i < size; i++) {
        char c = data[i];
        if (k->pressed) {
            *ret = keys_second(k, c, to);
        } else if (c == k->chord.first && !k->pasting) {
            if (!k->chord.second)
                *ret = ATTACH_KEY_DETACH;
            else
                k->pressed = true;
        } else {
            buf_putc(to, c);
            keys_watch_paste(k, c);
        }
        if (*ret != ATTACH_KEY_SEND)
            return i + 1;
    }
    return size;
}
