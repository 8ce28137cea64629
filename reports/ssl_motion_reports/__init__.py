"""Reports: from records (and published numbers) to tables, pages and pictures. Imports no torch."""
