using System.ComponentModel.DataAnnotations;
using System.Reflection;
using System.Text.RegularExpressions;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using WebhookService.Application.Consumers;
using WebhookService.Domain;

namespace WebhookService.Application.BusinessHandlers;

/// <summary>An assembly in which business handlers are looked for.</summary>
/// <param name="Origin">The file of a plug-in, as people find it; null for an assembly of the service itself.</param>
public sealed record HandlerAssembly(Assembly Assembly, string? Origin = null);

/// <summary>A business handler that there is.</summary>
/// <param name="Wants">Which events it wants, for people to read.</param>
/// <param name="Origin">As in <see cref="HandlerAssembly"/>.</param>
/// <param name="Consumer">Null if it is off.</param>
public sealed record FoundHandler(string Name, string Wants, string? Origin, IConsumer? Consumer);

/// <summary>
/// Finds the business handlers and makes consumers of them. A class that handles one kind of event is one consumer, named after the class;
/// one that handles several is one for each, with the event behind the name (`audit-device-went-online`), so that each has a place and failures of its own.
/// </summary>
public sealed partial class HandlerFinder
{
    public const string Section = "Handlers";

    private readonly IEnumerable<HandlerAssembly> assemblies;
    private readonly IEnumerable<IConsumerSource> sources;
    private readonly IServiceProvider services;
    private readonly IConfiguration configuration;
    private readonly Lazy<IReadOnlyList<FoundHandler>> all;

    public HandlerFinder(IEnumerable<HandlerAssembly> assemblies, IEnumerable<IConsumerSource> sources, IServiceProvider services, IConfiguration configuration)
    {
        (this.assemblies, this.sources, this.services, this.configuration) = (assemblies, sources, services, configuration);
        all = new(Find);
    }

    /// <summary>All handlers by name, those that are off among them.</summary>
    /// <exception cref="OptionsValidationException">Two have one name, a topic or a setting is wrong, or settings are for nobody.</exception>
    public IReadOnlyList<FoundHandler> All => all.Value;

    public FoundHandler? Named(string name) => All.FirstOrDefault(one => one.Name == name);

    /// <summary>The classes of an assembly that handle something, each with what.</summary>
    public static IEnumerable<(Type Type, IReadOnlyList<Type> Contracts)> HandlersIn(Assembly assembly) =>
        from type in assembly.GetTypes()
        where type is { IsClass: true, IsAbstract: false, IsGenericTypeDefinition: false }
        let contracts = type.GetInterfaces().Where(IsContract).ToList()
        where contracts.Count > 0
        select (type, (IReadOnlyList<Type>)contracts);

    private List<FoundHandler> Find()
    {
        var (found, mistakes) = (new Dictionary<string, (string Where, FoundHandler Handler)>(StringComparer.Ordinal), new List<string>());
        foreach (var (origin, type, contracts) in assemblies.SelectMany(one => HandlersIn(one.Assembly).Select(handler => (one.Origin, handler.Type, handler.Contracts))))
        {
            var where = type.FullName + (origin is null ? "" : $" in {origin}");
            var about = type.GetCustomAttribute<HandlerAttribute>() ?? new HandlerAttribute();
            object? handler = null;
            foreach (var contract in contracts)
            {
                var name = (about.Name ?? Kebab(type.Name)) + (contracts.Count > 1 ? "-" + NameOf(contract.GetGenericArguments()[0]) : "");
                try
                {
                    if (!IsName().IsMatch(name)) throw new DomainException("a name is made of small letters, digits and hyphens, at most 100");
                    if (found.TryGetValue(name, out var other))
                        throw new DomainException($"{other.Where} has the same name. Give one of them another with [Handler(Name = \"…\")]");
                    var (settings, wants) = (SettingsOf(name), HandlerConsumer.WantedBy(type, contract, about));
                    if (!(settings.Enabled ?? !about.IsOff))
                    {
                        found[name] = (where, new(name, wants, origin, Consumer: null));
                        continue;
                    }
                    handler ??= ActivatorUtilities.CreateInstance(services, type);
                    found[name] = (where, new(name, wants, origin, HandlerConsumer.Of(handler, contract, name, about, OptionsOf(about.Options, settings))));
                }
                catch (Exception mistake) when (mistake is DomainException or ValidationException or InvalidOperationException)
                {
                    mistakes.Add($"The handler '{name}' ({where}) cannot run: {mistake.Message.TrimEnd('.')}.");
                }
                catch (Exception fault) when (origin is not null)
                {
                    mistakes.Add($"The handler '{name}' ({where}) cannot run: {fault.GetType().Name}: {fault.Message.TrimEnd('.')}. Its author can mend it; {Section}:{name}:Enabled=false starts the service without it.");
                }
            }
        }
        foreach (var plan in sources.SelectMany(source => source.Plans()))
        {
            try
            {
                if (found.TryGetValue(plan.Name, out var other)) throw new DomainException($"{other.Where} has the same name. Give one of them another");
                var settings = SettingsOf(plan.Name);
                var consumer = plan.Make(OptionsOf(plan.Defaults, settings));
                found[plan.Name] = ("another of the configuration", new(plan.Name, consumer.Wanted, Origin: null, settings.Enabled is false ? null : consumer));
            }
            catch (Exception mistake) when (mistake is DomainException or ValidationException or InvalidOperationException)
            {
                mistakes.Add($"The handler '{plan.Name}' cannot run: {mistake.Message.TrimEnd('.')}.");
            }
        }
        foreach (var section in configuration.GetSection(Section).GetChildren())
            if (mistakes.Count == 0 && !found.Keys.Contains(section.Key, StringComparer.OrdinalIgnoreCase))
                mistakes.Add($"{section.Path} is for no handler. There are: {string.Join(", ", found.Keys.Order(StringComparer.Ordinal))}.");
        if (mistakes.Count > 0) throw new OptionsValidationException(Section, typeof(HandlerSettings), mistakes);
        return [.. found.Values.Select(one => one.Handler).OrderBy(one => one.Name, StringComparer.Ordinal)];
    }

    private static bool IsContract(Type contract) =>
        contract.IsGenericType && contract.GetGenericTypeDefinition() is var definition && (definition == typeof(IBusinessHandler<>) || definition == typeof(IMessageHandler<>));

    private HandlerSettings SettingsOf(string name)
    {
        var settings = new HandlerSettings();
        configuration.GetSection($"{Section}:{name}").Bind(settings, binder => binder.ErrorOnUnknownConfiguration = true);
        return settings;
    }

    private static ConsumerOptions OptionsOf(ConsumerOptions about, HandlerSettings settings)
    {
        var options = about with
        {
            Lanes = settings.Lanes ?? about.Lanes,
            Attempts = settings.Attempts ?? about.Attempts,
            Timeout = settings.Timeout ?? about.Timeout,
            FirstDelay = settings.FirstDelay ?? about.FirstDelay,
            LongestDelay = settings.LongestDelay ?? about.LongestDelay,
        };
        Validator.ValidateObject(options, new ValidationContext(options), validateAllProperties: true);
        return options;
    }

    private static string NameOf(Type argument) => argument.GetCustomAttribute<EventNameAttribute>()?.Name.Replace('.', '-') ?? Kebab(argument.Name.Replace("[]", "s", StringComparison.Ordinal));

    private static string Kebab(string name) => WordStart().Replace(name, "-").ToLowerInvariant();

    // The limits go by the clock on the wall: a shorter one ends the start where the machine is busy.
    [GeneratedRegex("(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 10_000)]
    private static partial Regex WordStart();

    [GeneratedRegex("^[a-z0-9-]{1,100}$", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 10_000)]
    private static partial Regex IsName();
}

/// <summary>`Handlers:‹name›`: wins over what the handler's class says. Ranges as in <see cref="ConsumerOptions"/>.</summary>
public sealed class HandlerSettings
{
    public bool? Enabled { get; init; }
    public int? Lanes { get; init; }
    public int? Attempts { get; init; }
    public TimeSpan? Timeout { get; init; }
    public TimeSpan? FirstDelay { get; init; }
    public TimeSpan? LongestDelay { get; init; }
}
