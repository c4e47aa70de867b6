/* A stream of records from a stranger: whatever it says, nothing outside its folder changes. */
#include "base/records.h"

#include "base/fd.h"
#include "base/file.h"
#include "tests/fuzz/fuzz.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static char place[] = "/tmp/cofferdam-fuzz-XXXXXX";
static int dir = FD_NONE;

static void leave(void)
{
    file_remove_tree(AT_FDCWD, place);
}

static void enter(void)
{
    if (!mkdtemp(place))
        abort();
    atexit(leave);
    dir = open(place, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (mkdirat(dir, "outside", 0700) < 0 || symlinkat("../outside", dir, "way") < 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (dir < 0)
        enter();
    if (mkdirat(dir, "in", 0700) < 0 || symlinkat("../outside", dir, "in/way") < 0)
        abort();
    autoclose int in = openat(dir, "in", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    autoclose int fd = memfd_create("fuzz", MFD_CLOEXEC);
    char what[256];
    if (fd_write_full(fd, data, size) < 0 || lseek(fd, 0, SEEK_SET) < 0)
        abort();
    records_receive(fd, in, size & 1 ? "thing" : NULL, 1 << 20, what, sizeof(what));
    if (strnlen(what, sizeof(what)) == sizeof(what))
        abort();
    /* an empty folder can be removed; "in" is the only other one, and "way" a link as before */
    char link[32];
    if (unlinkat(dir, "outside", AT_REMOVEDIR) < 0 || mkdirat(dir, "outside", 0700) < 0 ||
        readlinkat(dir, "way", link, sizeof(link)) != 10 || file_remove_tree(dir, "in") < 0)
        abort();
    struct stat st;
    if (fstat(dir, &st) < 0 || (st.st_nlink != 3 && st.st_nlink != 1))
        abort();
    return 0;
}
