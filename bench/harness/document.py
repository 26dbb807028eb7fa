"""The page, from the results."""
def write(results):
    import statistics
    groups={}
    for r in results["records"]:
        groups.setdefault((r["corpus"],r["operation"],r["tool"]),[]).append(r)
    out=[str(results["corpora"])]
    for k,rs in groups.items():
        m=lambda f: statistics.median([x[f] for x in rs]) if rs[0].get(f) is not None else None
        out.append(f"{k} n={len(rs)} s={m('seconds'):.3f} [{min(x['seconds'] for x in rs):.3f}–{max(x['seconds'] for x in rs):.3f}] own={m('own_seconds')} cpu={m('cpu')} mem={(m('memory') or 0)/1e6:.0f}MB bytes={m('bytes')} kept={m('kept_bytes')} objs={m('objects')}")
    return "\n".join(out)
