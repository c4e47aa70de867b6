#include "ui/fits.h"

#include "base/mem.h"

#include <string.h>
#include <wchar.h>

/* One character's bytes and columns; what is none takes one of each, as it is painted. */
static size_t fits_step(const char *at, int *ret_wide)
{
    uint32_t c;
    size_t length = str_utf8_decode(at, strnlen(at, 4), &c);
    int wide = length ? wcwidth((wchar_t)c) : 1;
    *ret_wide = wide < 0 ? 1 : wide;
    return length ? length : 1;
}

int fits_width(const char *utf8)
{
    int width = 0, wide;
    for (; *utf8; width += wide)
        utf8 += fits_step(utf8, &wide);
    return width;
}

size_t fits_bytes(const char *utf8, int width)
{
    size_t fits = 0, size;
    int wide;
    for (; utf8[fits]; fits += size, width -= wide) {
        size = fits_step(utf8 + fits, &wide);
        if (wide > width)
            break;
    }
    return fits;
}

const char *fits_tail(const char *utf8, int width)
{
    int wide;
    for (int all = fits_width(utf8); *utf8 && all > width; all -= wide)
        utf8 += fits_step(utf8, &wide);
    return utf8;
}

size_t fits_line(const char *line, int width)
{
    size_t fits = fits_bytes(line, width), blank = fits;
    if (!line[fits])
        return fits;
    while (blank && line[blank - 1] != ' ')
        blank--;
    if (!fits) /* not even one: a wide one that is cut, and no endless search for room */
        for (fits = 1; (line[fits] & 0xc0) == 0x80; fits++)
            ;
    return blank * 2 < fits ? fits : blank;
}

int fits_shift(const char *line, const char *at, int width)
{
    return at == line ? 0 : MIN((int)strspn(line, " ") + 2, width / 2);
}

int fits_rows(const char *line, int width)
{
    const char *at = line;
    int rows = 0;
    do {
        at += fits_line(at, width - fits_shift(line, at, width));
        rows++;
    } while (*at);
    return rows;
}
