#include "app/cli/release.h"

#include "config.h"

#include <stdio.h>

const struct release_feature release_features[] = {
    {"seccomp", FEATURE_SECCOMP},
    {"archive", FEATURE_ARCHIVE},
    {"zstd",    FEATURE_ZSTD   },
    {"systemd", FEATURE_SYSTEMD},
    {"tui",     FEATURE_TUI    },
    {"libvirt", FEATURE_LIBVIRT},
};
const size_t release_features_count = sizeof(release_features) / sizeof(release_features[0]);

void release_print(void)
{
    printf("cofferdam " COFFERDAM_VERSION);
    for (size_t i = 0; i < release_features_count; i++)
        printf(" %c%s", release_features[i].built ? '+' : '-', release_features[i].name);
    putchar('\n');
}
