package cli

// table is every verb of the command line, in the order the help shows them.
type table struct {
	Config string `name:"config" short:"c" help:"Configuration file (or PLENARY_CONFIG)." default:"${config}" placeholder:"FILE"`

	Demo       demoCmd       `cmd:"" help:"Everything on this machine, nothing to set up."`
	Serve      serveCmd      `cmd:"" help:"The service."`
	Configure  configCmd     `cmd:"" name:"config" help:"Every configuration key with its default and meaning."`
	Migrate    migrateCmd    `cmd:"" help:"The schema of the database."`
	List       listCmd       `cmd:"" help:"Lists and their settings."`
	Subscriber subscriberCmd `cmd:"" help:"The people of a list."`
	Ban        banCmd        `cmd:"" help:"Who may neither post nor join."`
	Held       heldCmd       `cmd:"" help:"Posts that wait for a decision."`
	Access     accessCmd     `cmd:"" help:"App passwords for mail programs: make, list, take back."`
	Import     importCmd     `cmd:"" help:"Add an archive to a list; nothing is sent."`
	Export     exportCmd     `cmd:"" help:"Write a list's archive to standard output."`
	Search     searchCmd     `cmd:"" help:"Search a list's archive."`
	Archive    archiveCmd    `cmd:"" help:"Compare an archive with its messages, or make its index anew."`
	Thread     threadCmd     `cmd:"" help:"Look at a thread, and put it right."`
	Explain    explainCmd    `cmd:"" help:"What would happen to a post, rule by rule; sends nothing."`
	Queue      queueCmd      `cmd:"" help:"What waits to be sent."`
	DKIM       dkimCmd       `cmd:"" name:"dkim" help:"Keys that sign outgoing mail."`
	Trace      traceCmd      `cmd:"" help:"What happened to a message or a person."`
	Health     healthCmd     `cmd:"" help:"Ask a running service whether it is well; for containers."`
	Version    versionCmd    `cmd:"" help:"What this binary is."`
}
