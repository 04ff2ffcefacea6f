"""An analysis -> Table: columns, order of the rows and footnotes, one file an analysis."""
