"""The process beside a live one: status page, alerts, heartbeat, commands. Reads files, decides nothing."""
