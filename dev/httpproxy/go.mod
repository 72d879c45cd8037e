// The oracle for HTTPS_PROXY and NO_PROXY: the package by which Go programs read them.
module dev/httpproxy

go 1.26.0

require golang.org/x/net v0.55.0

require golang.org/x/text v0.37.0 // indirect
