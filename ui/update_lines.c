/* Lines being typed, and the words of a command line. */
#include "ui/update_inner.h"

#include <stdio.h>

void update_line_set(struct ui_line *l, const char *text)
{
    snprintf(l->text, sizeof(l->text), "%s", text);
    l->used = strlen(l->text);
}

/* True if the key was one for it. */
bool update_line_key(struct ui_line *l, uint32_t key)
{
    char utf8[4];
    if (key == UI_KEY_BACKSPACE) {
        while (l->used && (l->text[--l->used] & 0xc0) == 0x80)
            ;
    } else if (key == 0x15) { /* ctrl-u */
        l->used = 0;
    } else if (key == 0x17) { /* ctrl-w */
        while (l->used && l->text[l->used - 1] == ' ')
            l->used--;
        while (l->used && l->text[l->used - 1] != ' ')
            l->used--;
    } else if (key >= ' ' && key < UI_KEY_UP) {
        size_t length = str_utf8_encode(key, utf8);
        if (l->used + length >= sizeof(l->text))
            return true;
        memcpy(l->text + l->used, utf8, length);
        l->used += length;
    } else {
        return false;
    }
    l->text[l->used] = '\0';
    return true;
}

char **ui_words(const char *line)
{
    char **words = mem_zero(1, sizeof(char *));
    while (*line) {
        struct buf word = {0};
        char quote = 0;
        while (*line == ' ' || *line == '\t')
            line++;
        if (!*line)
            break;
        for (; *line && (quote || (*line != ' ' && *line != '\t')); line++) {
            if (quote != '\'' && *line == '\\' && line[1])
                buf_putc(&word, *++line);
            else if (quote && *line == quote)
                quote = 0;
            else if (!quote && (*line == '\'' || *line == '"'))
                quote = *line;
            else
                buf_putc(&word, *line);
        }
        strv_take(&words, buf_take(&word));
        if (quote) {
            strv_free(words);
            return NULL;
        }
    }
    return words;
}
