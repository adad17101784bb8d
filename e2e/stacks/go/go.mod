module stacks/go

go 1.22
