#include "cache/protocol_model.h"

#include <algorithm>
#include <unordered_set>

#include "cache/protocol_world.h"

namespace hearth::cache::model {

namespace {

constexpr std::chrono::hours kJump{25};
constexpr int kAttempts = 2;

class Explorer {
 public:
  explicit Explorer(const Scenario& scenario) : scenario_(scenario) {}

  Exploration run() {
    visit(first());
    while (!stack_.empty() && result_.violation.empty()) {
      const World world = std::move(stack_.back());
      stack_.pop_back();
      expand(world);
    }
    result_.states = seen_.size();
    return result_;
  }

 private:
  bool rule(Rule rule) const { return scenario_.without != rule; }

  World first() {
    World world;
    world.faults = scenario_.faults;
    if (!scenario_.no_head) {
      Seen seen{.head = plain(create({"app", "stack", "arch"}, store::CompareAndSwap::honoured)), .written = world.now};
      seen.head.epoch = next_epoch(world);
      for (std::size_t i = scenario_.generations; i > 0; --i)
        seen.head.generations.push_back(generation_of(id_of('g', i)));
      for (const Generation& generation : seen.head.generations) {
        for (const ObjectName& object : objects_of(seen.head, generation)) world.objects[object] = world.now;
      }
      world.head = seen;
      world.version = world.writes = 1;
    }
    for (const Actor actor : scenario_.actors) {
      Process process;
      process.actor = actor;
      process.id = id_of('b', world.processes.size());
      process.step = first_step(actor);
      world.processes.push_back(std::move(process));
    }
    return world;
  }

  Step first_step(Actor actor) const {
    switch (actor) {
      case Actor::saver:
      case Actor::compactor:
        return Step::open;
      case Actor::collector:
        return rule(Rule::listing_first) ? Step::list : Step::sweep_read;
      case Actor::purger:
        return Step::purge_list;
      case Actor::outside_purger:
        return Step::purge_read;
      case Actor::path_purger:
        return Step::cut_read;
      case Actor::rollback:
        return Step::rollback_read;
      case Actor::restorer:
        return Step::restore_read;
    }
    return Step::finished;
  }

  void visit(World world) {
    const bool fresh = seen_.insert(KeyWriter(world).write()).second;
    if (fresh) check_promises(world);
    if (!world.violation.empty() && result_.violation.empty()) result_.violation = world.violation;
    if (fresh) stack_.push_back(std::move(world));
  }

  void expand(const World& world) {
    if (world.jumps < scenario_.jumps) {
      World later = world;
      ++later.jumps;
      later.now += kJump;
      visit(std::move(later));
    }
    for (std::size_t i = 0; i < world.flight.size(); ++i) {
      World arrived = world;
      arrived.flight.erase(arrived.flight.begin() + static_cast<std::ptrdiff_t>(i));
      deliver(arrived, world.flight[i]);
      visit(std::move(arrived));
    }
    for (std::size_t i = 0; i < world.processes.size(); ++i) step(world, i);
  }

  bool deliver(World& world, const Message& message) {
    if (message.kind == Message::Kind::put_object) world.objects[message.object] = world.now;
    if (message.kind == Message::Kind::remove) world.objects.erase(message.object);
    return message.kind != Message::Kind::put_head || put_head(world, message);
  }

  bool put_head(World& world, const Message& put) {
    if (rule(Rule::compare_and_swap) && put.condition != world.version) return false;
    if (world.head && world.head->head.epoch == put.head.epoch && put.head.generations.size() < kKeptGenerations) {
      for (const Generation& generation : world.head->head.generations) {
        if (find_generation(put.head, generation.id) != nullptr) continue;
        if (std::ranges::find(put.head.aside, generation.id, &Generation::id) != put.head.aside.end()) {
          mark_rolled_back(world, generation.id);
        } else if (put.head.cut == world.head->head.cut) {
          world.violation = "the save " + generation.id + " is lost";
        }
      }
    }
    // What was there, and what is at work, may have what was purged.
    if (world.head && world.head->head.epoch == put.head.epoch && world.head->head.cut != put.head.cut) {
      for (const Generation& generation : world.head->head.generations) world.dead.insert(generation.id);
      bury(world);
    }
    world.head = Seen{.head = put.head, .written = world.now};
    world.version = ++world.writes;
    return true;
  }

  void look(const World& world, Process& process) {
    process.seen = world.head.value_or(Seen{});
    process.seen.now = world.now;
    process.version = world.version;
  }

  void step(const World& world, std::size_t index) {
    switch (world.processes[index].step) {
      case Step::open:
        return open(world, index);
      case Step::upload:
        return upload(world, index);
      case Step::judge:
        return judge(world, index);
      case Step::clean:
        return clean(world, index, Step::put);
      case Step::put:
        return put(world, index);
      case Step::read:
        return read(world, index);
      case Step::list:
        return list(world, index);
      case Step::sweep_read:
        return sweep_read(world, index);
      case Step::sweep_clean:
        return clean(world, index, Step::sweep_put);
      case Step::sweep_put:
        return sweep_put(world, index);
      case Step::purge_list:
      case Step::purge_read:
      case Step::purge_put:
      case Step::purge_delete:
        return purge(world, index);
      case Step::cut_read:
      case Step::cut_put:
        return cut(world, index);
      case Step::rollback_read:
      case Step::rollback_put:
        return roll_back(world, index);
      case Step::restore_read:
      case Step::restore_fetch:
        return restore(world, index);
      case Step::finished:
        return;
    }
  }

  void open(World world, std::size_t index) {
    Process& process = world.processes[index];
    look(world, process);
    if (process.version == 0 && rule(Rule::head_first)) {
      Head head = plain(create({"app", "stack", "arch"}, store::CompareAndSwap::honoured));
      head.epoch = next_epoch(world);
      put_head(world, {.kind = Message::Kind::put_head, .head = head, .condition = 0, .object = {}});
      return visit(std::move(world));
    }
    if (process.version == 0) process.seen.head.epoch = next_epoch(world);
    process.opened_version = process.version;
    process.began = world.now;
    process.proposal.generation = generation_of(process.id);
    process.proposal.epoch = process.seen.head.epoch;
    process.proposal.cut = process.seen.head.cut;
    if (!process.seen.head.generations.empty()) {
      // The first builds on the newest; the others, as after a restore that fell back, on what is dropped first.
      const auto& generations = process.seen.head.generations;
      const Generation& base = index == 0 ? generations.front() : generations.back();
      process.proposal.base = base.id;
      const bool compacts = process.actor == Actor::compactor;
      auto& packs = process.proposal.generation.packs;
      packs.insert(packs.begin(), base.packs.begin() + (compacts ? 1 : 0), base.packs.end());
      if (!rule(Rule::base_packs) && !compacts) packs.push_back(generations.back().packs.front());
    }
    process.step = Step::upload;
    visit(std::move(world));
  }

  void upload(World world, std::size_t index) {
    Process& process = world.processes[index];
    const auto own = own_objects(process.proposal);
    for (const ObjectName& object : own) world.objects[object] = world.now;
    process.step = Step::judge;
    // What is decided first is decided on what was read before: nobody can come between.
    if (world.faults > 0) {
      World repeated = world;
      --repeated.faults;
      repeated.flight.push_back({.kind = Message::Kind::put_object, .head = {}, .condition = 0, .object = own.back()});
      judge(std::move(repeated), index);
    }
    judge(std::move(world), index);
  }

  bool forgiven(Verdict verdict) const {
    return (verdict == Verdict::purged && !rule(Rule::epoch)) ||
           (verdict == Verdict::base_gone && !rule(Rule::base_there)) ||
           (verdict == Verdict::collected && !rule(Rule::own_not_in_trash));
  }

  void judge(World world, std::size_t index) {
    Process& process = world.processes[index];
    Proposal proposal = process.proposal;
    if (!rule(Rule::cut)) proposal.cut = process.seen.head.cut;
    Verdict verdict = process.version == 0 ? Verdict::put : decide(process.seen, proposal, process.began);
    if (forgiven(verdict)) verdict = Verdict::put;
    const auto own = own_objects(process.proposal);
    if (verdict == Verdict::put && process.version != process.opened_version && rule(Rule::own_there) &&
        !std::ranges::all_of(own, [&](const ObjectName& object) { return world.objects.contains(object); })) {
      verdict = Verdict::collected;
    }
    if (verdict == Verdict::collected && process.began == world.now && world.head &&
        world.head->head.epoch == process.proposal.epoch) {
      world.violation = "a save that took no time was collected";
    }
    process.step = verdict == Verdict::put ? Step::clean : Step::finished;
    process.todo = rubbish(process.seen);
    process.deleted.clear();
    visit(std::move(world));
  }

  std::vector<ObjectName> rubbish(const Seen& seen) const {
    if (rule(Rule::grace)) return expired_trash(seen);
    std::vector<ObjectName> all;
    for (const Trashed& trashed : seen.head.trash) all.push_back(trashed.object);
    return all;
  }

  void clean(World world, std::size_t index, Step next) {
    if (world.processes[index].todo.empty()) {
      world.processes[index].step = next;
      return step(world, index);
    }
    if (world.faults > 0) {
      World delayed = world;
      --delayed.faults;
      Process& process = delayed.processes[index];
      for (const ObjectName& object : std::exchange(process.todo, {})) {
        delayed.flight.push_back({.kind = Message::Kind::remove, .head = {}, .condition = 0, .object = object});
        if (!rule(Rule::sure_deletion)) process.deleted.insert(object);
      }
      visit(std::move(delayed));
    }
    const ObjectName object = world.processes[index].todo.back();
    world.processes[index].todo.pop_back();
    world.objects.erase(object);
    world.processes[index].deleted.insert(object);
    visit(std::move(world));
  }

  // Sends the HEAD: it arrives and the answer too; or one of them is lost; or it is late.
  void send(const World& world, std::size_t index, const Head& head, Step accepted, Step refused) {
    const Message message{.kind = Message::Kind::put_head,
                          .head = plain(head),
                          .condition = world.processes[index].version,
                          .object = {}};
    World arrived = world;
    const bool done = deliver(arrived, message);
    if (world.faults > 0) {
      World unanswered = arrived;
      --unanswered.faults;
      unanswered.processes[index].step = refused;
      visit(std::move(unanswered));
      World late = world;
      --late.faults;
      late.flight.push_back(message);
      late.processes[index].step = refused;
      visit(std::move(late));
    }
    arrived.processes[index].step = done ? accepted : refused;
    const Process& process = world.processes[index];
    if (done && is_saver(process)) ++result_.committed;
    if (done && process.actor == Actor::collector && ++arrived.processes[index].rounds == scenario_.sweeps) {
      arrived.processes[index].step = Step::finished;
    }
    visit(std::move(arrived));
  }

  void put(const World& world, std::size_t index) {
    const Process& process = world.processes[index];
    const Seen seen = without_trash(process.seen, process.deleted);
    send(world, index, with_generation(seen, process.proposal), Step::finished, Step::read);
  }

  void read(World world, std::size_t index) {
    Process& process = world.processes[index];
    look(world, process);
    process.step = ++process.attempts == kAttempts ? Step::finished : Step::judge;
    if (process.version == 0 && rule(Rule::head_gone)) process.step = Step::finished;
    if (process.version == 0) process.seen.head.epoch = process.proposal.epoch;
    visit(std::move(world));
  }

  void list(World world, std::size_t index) {
    Process& process = world.processes[index];
    process.sweep = {};
    for (const auto& [object, modified] : world.objects) process.sweep.objects.push_back({object, 1, modified});
    process.sweep.taken = rule(Rule::unreferenced_age) ? world.now : world.now + kJump;
    process.step = Step::sweep_read;
    if (!rule(Rule::listing_first)) begin_sweep(world, process);
    visit(std::move(world));
  }

  // With the HEAD and the listing that it has.
  void begin_sweep(const World& world, Process& process) const {
    process.deleted.clear();
    process.todo = rubbish(process.seen);
    process.sweep.gone = unlisted(process.seen.head, process.sweep.objects);
    if (rule(Rule::confirmed_absent)) {
      std::erase_if(process.sweep.gone, [&](const ObjectName& object) { return world.objects.contains(object); });
    }
    process.step = Step::sweep_clean;
    if (rule(Rule::committed_trash)) return;
    const Head next = swept(process.seen, process.sweep);
    for (const Trashed& trashed : next.trash) process.todo.push_back(trashed.object);
  }

  void sweep_read(World world, std::size_t index) {
    Process& process = world.processes[index];
    look(world, process);
    if (process.version == 0 || ++process.attempts > kAttempts) {
      process.step = Step::finished;
    } else if (rule(Rule::listing_first)) {
      begin_sweep(world, process);
    } else {
      process.step = Step::list;
    }
    visit(std::move(world));
  }

  void sweep_put(const World& world, std::size_t index) {
    const Process& process = world.processes[index];
    Sweep sweep = process.sweep;
    std::erase_if(sweep.objects, [&](const Listed& listed) { return process.deleted.contains(listed.object); });
    Head head = swept(without_trash(process.seen, process.deleted), sweep);
    send(world, index, head, first_step(Actor::collector), Step::sweep_read);
  }

  void purge(World world, std::size_t index) {
    Process& process = world.processes[index];
    const bool outside = process.actor == Actor::outside_purger;
    switch (process.step) {
      case Step::purge_list:
        for (const auto& [object, modified] : world.objects) process.epochs.insert(object.epoch);
        process.step = Step::purge_read;
        break;
      case Step::purge_read:
        look(world, process);
        process.step = Step::purge_put;
        if (!outside && process.version == 0) replace_absent_head(world, process);
        break;
      case Step::purge_put:
        outside ? remove_head(world, process) : put_purged(world, process);
        break;
      default:
        std::erase_if(world.objects, [&](const auto& one) {
          if (outside || rule(Rule::purged_epochs)) return process.epochs.contains(one.first.epoch);
          return one.first.epoch != process.proposal.epoch;
        });
        process.step = Step::finished;
    }
    visit(std::move(world));
  }

  // Something lies there, and no HEAD: so it is dead already, but who makes one at this moment is not. It is read
  // again.
  void replace_absent_head(World& world, Process& process) {
    process.step = process.epochs.empty() ? Step::finished : Step::purge_read;
    if (process.epochs.empty()) return;
    Head head = plain(create({"app", "stack", "arch"}, store::CompareAndSwap::honoured));
    process.proposal.epoch = head.epoch = next_epoch(world);
    put_head(world, {.kind = Message::Kind::put_head, .head = head, .condition = 0, .object = {}});
  }

  static void remove_head(World& world, Process& process) {
    bury(world);
    process.epochs.insert(process.seen.head.epoch);
    process.step = Step::purge_delete;
    world.head.reset();
    world.version = 0;
  }

  void put_purged(World& world, Process& process) {
    Head head = plain(purged(process.seen));
    head.epoch = next_epoch(world);
    process.step = Step::purge_read;
    const Message message{.kind = Message::Kind::put_head, .head = head, .condition = process.version, .object = {}};
    if (!put_head(world, message)) return;
    bury(world);
    process.epochs.insert(process.seen.head.epoch);
    process.proposal.epoch = head.epoch;
    process.step = Step::purge_delete;
  }

  // Of the newest generation stays what lies in its packs, with another manifest.
  void cut(World world, std::size_t index) {
    Process& process = world.processes[index];
    if (process.step == Step::cut_read) {
      look(world, process);
      const bool any = process.version != 0 && !process.seen.head.generations.empty();
      process.step = any && ++process.attempts <= kAttempts ? Step::cut_put : Step::finished;
      return visit(std::move(world));
    }
    const auto& generations = process.seen.head.generations;
    Generation rest = generations.front();
    // Another name each time.
    rest.id = id_of('c', static_cast<std::size_t>(++world.cuts));
    rest.manifests.insert(rest.manifests.begin(), {rest.id, 1, {}});
    world.objects[{process.seen.head.epoch, ObjectKind::manifest, rest.id, 0}] = world.now;
    Fates fates;
    for (const Generation& generation : generations) fates.emplace(generation.id, std::nullopt);
    for (const Generation& generation : process.seen.head.aside) fates.emplace(generation.id, std::nullopt);
    fates[generations.front().id] = rest;
    Head head = replaced(process.seen, fates, SavesUnderWay::are_dropped);
    head.cut = rest.id;
    send(world, index, head, Step::finished, Step::cut_read);
  }

  void roll_back(World world, std::size_t index) {
    Process& process = world.processes[index];
    if (process.step == Step::rollback_put) {
      const Result<Head> head = rolled_back(process.seen, process.proposal.base);
      return send(world, index, *head, Step::finished, Step::rollback_read);
    }
    look(world, process);
    const auto& generations = process.seen.head.generations;
    if (process.attempts == 0 && generations.size() > 1) process.proposal.base = generations[1].id;
    const bool possible = find_generation(process.seen.head, process.proposal.base) != nullptr;
    process.step = possible && ++process.attempts <= kAttempts ? Step::rollback_put : Step::finished;
    visit(std::move(world));
  }

  void restore(World world, std::size_t index) {
    Process& process = world.processes[index];
    if (process.step == Step::restore_read) {
      look(world, process);
      process.step =
          process.version == 0 || process.seen.head.generations.empty() ? Step::finished : Step::restore_fetch;
    } else {
      const auto& generation = process.seen.head.generations.back();
      for (const ObjectName& object : objects_of(process.seen.head, generation)) {
        if (process.seen.now == world.now && !world.objects.contains(object)) {
          world.violation = "a restore that took no time missed " + object.text();
        }
      }
      process.step = Step::finished;
    }
    visit(std::move(world));
  }

  const Scenario scenario_;
  Exploration result_;
  std::unordered_set<std::string> seen_;
  std::vector<World> stack_;
};

}  // namespace

Exploration explore(const Scenario& scenario) {
  return Explorer(scenario).run();
}

}  // namespace hearth::cache::model
