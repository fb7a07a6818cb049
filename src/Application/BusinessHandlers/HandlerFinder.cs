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
public sealed record HandlerAssembly(Assembly Assembly);

/// <summary>
/// Finds the business handlers and makes consumers of them. A class that handles one kind of event is one consumer, named after the class;
/// one that handles several is one for each, with the event behind the name (`audit-device-went-online`), so that each has a place and failures of its own.
/// </summary>
public sealed partial class HandlerFinder(IEnumerable<HandlerAssembly> assemblies, IEnumerable<IConsumerSource> sources, IServiceProvider services, IConfiguration configuration)
{
    public const string Section = "Handlers";

    /// <returns>The consumers that run, and the names of those that are off.</returns>
    /// <exception cref="OptionsValidationException">Two have one name, a topic or a setting is wrong, or settings are for nobody.</exception>
    public (IReadOnlyList<IConsumer> Consumers, IReadOnlyList<string> Off) Find()
    {
        var (found, off, mistakes) = (new Dictionary<string, (Type Type, IConsumer? Consumer)>(StringComparer.Ordinal), new List<string>(), new List<string>());
        foreach (var type in assemblies.SelectMany(one => one.Assembly.GetTypes()).Where(type => type is { IsClass: true, IsAbstract: false, IsGenericTypeDefinition: false }))
        {
            var contracts = type.GetInterfaces().Where(IsContract).ToList();
            if (contracts.Count == 0) continue;
            var about = type.GetCustomAttribute<HandlerAttribute>() ?? new HandlerAttribute();
            object? handler = null;
            foreach (var contract in contracts)
            {
                var name = (about.Name ?? Kebab(type.Name)) + (contracts.Count > 1 ? "-" + NameOf(contract.GetGenericArguments()[0]) : "");
                try
                {
                    if (!IsName().IsMatch(name)) throw new DomainException("a name is made of small letters, digits and hyphens, at most 100");
                    if (found.TryGetValue(name, out var other))
                        throw new DomainException($"{other.Type.FullName} has the same name. Give one of them another with [Handler(Name = \"…\")]");
                    var settings = SettingsOf(name);
                    if (!(settings.Enabled ?? !about.IsOff))
                    {
                        found[name] = (type, null);
                        off.Add(name);
                        continue;
                    }
                    handler ??= ActivatorUtilities.CreateInstance(services, type);
                    found[name] = (type, HandlerConsumer.Of(handler, contract, name, about, OptionsOf(about.Options, settings)));
                }
                catch (Exception mistake) when (mistake is DomainException or ValidationException or InvalidOperationException)
                {
                    mistakes.Add($"The handler '{name}' ({type.FullName}) cannot run: {mistake.Message.TrimEnd('.')}.");
                }
            }
        }
        foreach (var plan in sources.SelectMany(source => source.Plans()))
        {
            try
            {
                if (found.TryGetValue(plan.Name, out var other)) throw new DomainException($"{other.Type.FullName} has the same name. Give one of them another");
                var settings = SettingsOf(plan.Name);
                found[plan.Name] = (plan.GetType(), settings.Enabled is false ? null : plan.Make(OptionsOf(plan.Defaults, settings)));
                if (settings.Enabled is false) off.Add(plan.Name);
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
        return ([.. found.Values.Select(one => one.Consumer).OfType<IConsumer>()], off);
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

    [GeneratedRegex("(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 100)]
    private static partial Regex WordStart();

    [GeneratedRegex("^[a-z0-9-]{1,100}$", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 100)]
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
