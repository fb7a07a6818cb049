using System.Collections.Concurrent;

namespace WebhookService.Application.Consumers;

/// <summary>The consumers of this service, each with the engine that runs it at present.</summary>
public sealed class ConsumerDesk
{
    private readonly ConcurrentDictionary<string, ConsumerEngine> engines = new(StringComparer.Ordinal);

    public IReadOnlyList<ConsumerEngine> All => [.. engines.Values.OrderBy(engine => engine.Consumer.Name, StringComparer.Ordinal)];

    public ConsumerEngine? Find(string name) => engines.GetValueOrDefault(name);

    /// <summary>From now on this engine runs its consumer.</summary>
    public void Put(ConsumerEngine engine) => engines[engine.Consumer.Name] = engine;
}
