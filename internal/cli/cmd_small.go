package cli

import (
	"fmt"

	"plenary/internal/app"
	"plenary/internal/config"
)

type configCmd struct {
	Markdown bool `help:"As the handbook's page."`
}

// Run prints a configuration file that holds every key.
func (c *configCmd) Run(e *env) error {
	text := config.Sample()
	if c.Markdown {
		text = config.Handbook()
	}
	_, err := e.out.WriteString(text)
	return err
}

type migrateCmd struct {
	Up     migrateUpCmd     `cmd:"" help:"Bring the schema to its newest version."`
	Status migrateStatusCmd `cmd:"" help:"Which steps were applied."`
}

type migrateUpCmd struct{}

// Run migrates.
func (c *migrateUpCmd) Run(e *env) error {
	p, err := e.unready()
	if err != nil {
		return err
	}
	return p.Store.Migrate(e.ctx)
}

type migrateStatusCmd struct {
	JSON bool `help:"One JSON object a line."`
}

type migrationRow struct {
	Version int64  `json:"version"`
	Name    string `json:"name"`
	Applied bool   `json:"applied"`
}

// Run prints every step.
func (c *migrateStatusCmd) Run(e *env) error {
	p, err := e.unready()
	if err != nil {
		return err
	}
	steps, err := p.Store.MigrationStatus(e.ctx)
	if err != nil {
		return err
	}
	var out []migrationRow
	for _, s := range steps {
		out = append(out, migrationRow{s.Version, s.Name, s.Applied})
	}
	return rows(e, c.JSON, out, "VERSION NAME APPLIED", func(r migrationRow) []any { return []any{r.Version, r.Name, r.Applied} })
}

type healthCmd struct{}

// Run asks /healthz of the service this configuration describes.
func (c *healthCmd) Run(e *env) error {
	cfg, err := e.config()
	if err != nil {
		return err
	}
	text, err := app.AskHealth(e.ctx, cfg)
	if err != nil {
		return err
	}
	fmt.Fprintln(e.out, oneLine(text))
	return nil
}

type versionCmd struct{}

// Run prints the version the binary was built from.
func (c *versionCmd) Run(e *env) error {
	version, goVersion := app.Version()
	fmt.Fprintln(e.out, "plenary", version, goVersion)
	return nil
}
