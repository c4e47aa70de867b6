/* What PID 1 and everything it starts may keep. init/agent.h says what it expects. */
#include "backends/native/start.h"

#include <linux/capability.h>
#include <linux/securebits.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* To start commands as other users and to signal them, where there are other users. */
static const uint64_t capabilities_of_init =
    1ull << CAP_SETUID | 1ull << CAP_SETGID | 1ull << CAP_KILL;

static uint64_t capabilities_kept(const struct setup *s)
{
    return s->plan->capabilities | (s->ids->many ? capabilities_of_init : 0);
}

/* The inheritable set becomes what is kept; the others too, or stay as they are. */
static int capabilities_set(struct setup *s, bool all)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct set[2];
    if (syscall(SYS_capget, &head, set) < 0)
        return error_errno(&s->error, errno, "capabilities");
    for (int i = 0; i < 2; i++) {
        uint32_t kept = (uint32_t)(capabilities_kept(s) >> (32 * i)) & set[i].permitted;
        set[i].inheritable = kept;
        if (all)
            set[i].permitted = set[i].effective = kept;
    }
    if (syscall(SYS_capset, &head, set) < 0)
        return error_errno(&s->error, errno, "dropping capabilities");
    return 0;
}

/*
 * Nothing outside the plan's set can ever be gained again, by whatever file. What PID 1 carries
 * over exec has to be inheritable before: nothing can become so once it has left the bounding set.
 */
int setup_bounding_set(struct setup *s)
{
    int r = capabilities_set(s, false);
    if (r < 0)
        return r;
    for (unsigned c = 0; c < 64; c++) {
        if (s->plan->capabilities >> c & 1)
            continue;
        if (prctl(PR_CAPBSET_DROP, c, 0, 0, 0) < 0) {
            if (errno == EINVAL) /* beyond the last one this kernel has */
                break;
            return error_errno(&s->error, errno, "capability %u", c);
        }
    }
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
        return error_errno(&s->error, errno, "ambient capabilities");
    return 0;
}

/* One id alone that is not 0: exec gives it nothing by itself, and there is nobody else to have it.
 */
static int capabilities_raise(struct setup *s)
{
    if (s->ids->many || s->ids->root_inside)
        return 0;
    for (unsigned c = 0; c < 64; c++)
        if (s->plan->capabilities >> c & 1 &&
            prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, c, 0, 0) < 0 && errno != EINVAL)
            return error_errno(&s->error, errno, "capability %u", c);
    return 0;
}

int setup_capabilities(struct setup *s)
{
    int r = capabilities_set(s, true);
    return r < 0 ? r : capabilities_raise(s);
}
