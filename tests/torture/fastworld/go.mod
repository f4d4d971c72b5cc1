module karrots.dev/tests/torture/fastworld

go 1.24
