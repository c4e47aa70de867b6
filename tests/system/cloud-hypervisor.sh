#!/bin/bash
# Cloud Hypervisor: driven through its API, in our jail, with its guest's agent over vsock. Where there is none a
# stand-in serves the API as published (tests/tools/fake-cloud-hypervisor.c) with a made-up guest.
# shellcheck disable=SC2034 # all of these are read by vmm-api.sh
{
    VMM=cloud-hypervisor WORDS='--api-socket path=/run/api.sock' OTHER=50.2 FILTERS=1 WRITES=
    REQUESTS=(/api/v1/vmm.ping /api/v1/vm.create /api/v1/vm.boot)
    FAULT='Error from API: The VM could not boot: made up (500)'
    OWN='test_every_version_that_is_known test_the_choice'
}

test_every_version_that_is_known() {
    local version
    for version in 43.0 45.0 50.2 51.1 53.0; do
        fake "version=$version"
        capture fc -- echo "$version"
        expect_status 0
        expect_out "$version"
    done
    for version in 42.0 54.0 4.1; do
        fake "version=$version"
        capture fc -- true
        expect_status 125
        expect_err_has "known here are 43 to 53"
    done
}

test_the_choice() {
    need_machine cat
    capture cofferdam plan --boundary microvm --image small --json -- true
    command -v cloud-hypervisor >which || expect_out_has "cloud-hypervisor is not installed"
    capture cofferdam plan --boundary microvm --runtime cloud-hypervisor --image small -- true
    command -v cloud-hypervisor >which || expect_out_has "cloud-hypervisor, which is not here"
    capture cofferdam doctor --json
    expect_out_has cloud-hypervisor
}

. "$(dirname "$0")/vmm-api.sh"
