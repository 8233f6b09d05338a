module github.com/seed-3506548a/ratelimit

go 1.26.0

require github.com/stretchr/testify v1.12.1

require (
	github.com/benbjohnson/clock v1.3.5 // indirect
	go.yaml.in/yaml/v3 v3.0.5 // indirect
)
