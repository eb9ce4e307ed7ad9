"""Components, each under `@component`: `oneiric compile` reads them as text."""
