package main

import "encoding/base64"

// certificate is a CA that nobody has the key of: attributes that hold one must stay readable as one.
const certificate = `-----BEGIN CERTIFICATE-----
MIIBmDCCAT2gAwIBAgIURxaPLI/gwZStvsSg2ZTr7JdmR74wCgYIKoZIzj0EAwIw
IDEeMBwGA1UEAwwVcmVoZWFyc2FsLmV4YW1wbGUuY29tMCAXDTI2MTEyMTE2Mzkw
OVoYDzIxMjYxMDI4MTYzOTA5WjAgMR4wHAYDVQQDDBVyZWhlYXJzYWwuZXhhbXBs
ZS5jb20wWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAATZf+BeRNlvyhrFI7rXefOR
2Vd/k1aKBqThsEn9xa2zToFqUc9F5TSIn4qRvcvPxCNXUWMl9Yh8dBSzTBHh644V
o1MwUTAdBgNVHQ4EFgQUkoBF6fnpHhgBrTJKAa+W3MrgJsMwHwYDVR0jBBgwFoAU
koBF6fnpHhgBrTJKAa+W3MrgJsMwDwYDVR0TAQH/BAUwAwEB/zAKBggqhkjOPQQD
AgNJADBGAiEAz78vwIedDGx5/tnjM7B/s/EIbulA/IcFnK+3Zr2N6jcCIQDB1UKT
PofwUqt+go4gpJzIjBz9KToYKoVqFwoYdluwFw==
-----END CERTIFICATE-----
`

func certificate64() string { return base64.StdEncoding.EncodeToString([]byte(certificate)) }
